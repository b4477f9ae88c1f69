import type { Clock, Logger } from '@flexlora/runtime';
import type { ObjectStore, RoundStore } from '@flexlora/stores';
import { READY_CHECK_MS } from './limits.ts';

/** Whether this process can work: both stores answer. What was asked within the last check is answered from it. */
export interface Readiness {
  /** Null when ready, else one sentence. */
  whyNotReady(): Promise<string | null>;
  /** Tells every change until the signal, and once at its end that nothing is served any more. */
  watch(tell: (serving: 'serving' | 'notServing') => void, signal: AbortSignal): void;
}

export function createReadiness(deps: {
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
}): Readiness {
  const { roundStore, objectStore, clock, logger } = deps;
  let stopping = false;
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  let latest: Promise<string | null> = Promise.resolve(null);

  const check = async (): Promise<string | null> => {
    try {
      await Promise.all([roundStore.checkReady(), objectStore.checkReady()]);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };

  const whyNotReady = async (): Promise<string | null> => {
    if (stopping) return 'the process stops';
    if (clock.nowMs() - checkedAtMs >= READY_CHECK_MS) {
      checkedAtMs = clock.nowMs();
      latest = check();
    }
    return latest;
  };

  const follow = async (tell: (serving: 'serving' | 'notServing') => void, signal: AbortSignal): Promise<void> => {
    let told: string | null = null;
    tell('serving');
    while (!signal.aborted) {
      await clock.sleep(READY_CHECK_MS, signal);
      const reason = await whyNotReady();
      if ((reason === null) === (told === null)) continue;
      if (reason === null) logger.info({}, 'ready again');
      else logger.warn({ reason }, 'not ready');
      tell(reason === null ? 'serving' : 'notServing');
      told = reason;
    }
  };

  return {
    whyNotReady,
    watch: (tell, signal) => {
      const end = (): void => {
        stopping = true;
        tell('notServing');
      };
      signal.addEventListener('abort', end, { once: true });
      follow(tell, signal).catch((error: unknown) => {
        if (!signal.aborted) logger.error({ err: error }, 'readiness is no longer followed');
      });
    },
  };
}
