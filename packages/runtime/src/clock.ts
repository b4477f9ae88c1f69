import { setTimeout as delay } from 'node:timers/promises';

/** Time as a port, so that a test or a simulation can own it. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      // Node rejects with its own AbortError and hides the reason in `cause`.
      throw signal?.aborted ? signal.reason : error;
    }
  },
};
