import type { Clock } from '@flexlora/runtime';

/**
 * Something that happens again and again, for callers that look, then wait until it happened since. Taking `count` before looking means
 * that nothing between the look and the wait is missed. Thousands may wait: they share one timer.
 */
export interface Pulse {
  readonly count: number;
  beat(): void;
  /** Resolves when the pulse beat since `since`, or after `ms`; rejects with the signal's reason. */
  waitSince(since: number, ms: number, signal?: AbortSignal): Promise<void>;
}

interface Waiter {
  readonly untilMs: number;
  wake(): void;
}

export function createPulse(clock: Clock): Pulse {
  let count = 0;
  const waiting = new Set<Waiter>();
  let sleeping: { readonly untilMs: number; readonly cut: AbortController } | null = null;

  /** Wakes those whose time is over, then sleeps until the next one's; ends when nobody waits. */
  const keepTime = async (): Promise<void> => {
    while (waiting.size > 0) {
      const nowMs = clock.nowMs();
      let nextMs = Number.POSITIVE_INFINITY;
      for (const waiter of waiting) {
        if (waiter.untilMs <= nowMs) waiter.wake();
        else nextMs = Math.min(nextMs, waiter.untilMs);
      }
      if (waiting.size === 0) break;
      const cut = new AbortController();
      sleeping = { untilMs: nextMs, cut };
      await clock.sleep(nextMs - nowMs, cut.signal).catch((error: unknown) => {
        if (!cut.signal.aborted) throw error;
      });
    }
    sleeping = null;
  };

  const watchTime = (untilMs: number): void => {
    if (sleeping === null) {
      sleeping = { untilMs, cut: new AbortController() };
      void keepTime();
    } else if (untilMs < sleeping.untilMs) sleeping.cut.abort();
  };

  return {
    get count() {
      return count;
    },
    beat: () => {
      count += 1;
      for (const waiter of [...waiting]) waiter.wake();
      // Nobody waits any more: the timer must not keep the process alive.
      sleeping?.cut.abort();
    },
    waitSince: (since, ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        if (count !== since || ms <= 0) return resolve();
        const leave = (): void => {
          waiting.delete(waiter);
          signal?.removeEventListener('abort', giveUp);
        };
        const giveUp = (): void => {
          leave();
          if (waiting.size === 0) sleeping?.cut.abort();
          reject(signal?.reason);
        };
        const waiter: Waiter = {
          untilMs: clock.nowMs() + ms,
          wake: () => {
            leave();
            resolve();
          },
        };
        waiting.add(waiter);
        signal?.addEventListener('abort', giveUp, { once: true });
        watchTime(waiter.untilMs);
      }),
  };
}
