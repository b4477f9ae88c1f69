import type { Clock } from '@flexlora/runtime';

/** Waits for nothing but its turn, so that retries do not slow a test down. */
export const hastyClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async (_ms, signal) => {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  },
};
