import type { Clock } from '@flexlora/runtime';

/** Notices that nothing has moved for too long. What moves has no other limit of time. */
export interface IdleWatch {
  /** Something moved. */
  touch(): void;
  stop(): void;
}

/** Calls `onIdle` once, when `idleMs` passed without a `touch`. */
export function createIdleWatch(clock: Clock, idleMs: number, onIdle: () => void): IdleWatch {
  const stopped = new AbortController();
  let movedAtMs = clock.nowMs();
  const watch = async (): Promise<void> => {
    for (;;) {
      const leftMs = movedAtMs + idleMs - clock.nowMs();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, stopped.signal);
    }
    if (!stopped.signal.aborted) onIdle();
  };
  watch().catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error;
  });
  return {
    touch: () => {
      movedAtMs = clock.nowMs();
    },
    stop: () => stopped.abort(),
  };
}
