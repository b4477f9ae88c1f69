import type { Clock } from './clock.ts';

/** How often and how patiently. Waits double from `firstMs` to `mostMs`; each is drawn between half of it and the whole (jitter). */
export interface RetryPolicy {
  readonly firstMs: number;
  readonly mostMs: number;
  /** Tries in all; Infinity for a loop that an abort signal ends. */
  readonly attemptsMax: number;
}

export interface RetryDeps {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface RetryOptions {
  readonly signal?: AbortSignal;
  /** False ends the retries with that error. Everything is tried again when absent. */
  readonly isWorthRetrying?: (error: unknown) => boolean;
  readonly onRetry?: (error: unknown, attempt: number, waitMs: number) => void;
  /** A wait that the other side asked for, spread over half as much again; of it and the own one the longer holds. */
  readonly askedWaitMs?: (error: unknown) => number | null;
}

/** The wait before try `attempt + 1` (attempts count from 1). */
export function backoffMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  const whole = Math.min(policy.mostMs, policy.firstMs * 2 ** Math.min(attempt - 1, 30));
  return whole / 2 + (whole / 2) * random();
}

/**
 * Calls `operation` until it succeeds. Throws its last error, or the signal's reason. A try that says `movedOn` before it fails is followed
 * by waits as short as after the first: the next goes on from where it came to.
 */
export async function retry<T>(
  operation: (attempt: number, movedOn: () => void) => Promise<T>,
  policy: RetryPolicy,
  deps: RetryDeps,
  options: RetryOptions = {},
): Promise<T> {
  let standingStill = 0;
  const movedOn = (): void => {
    standingStill = 0;
  };
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted();
    try {
      return await operation(attempt, movedOn);
    } catch (error) {
      if (attempt >= policy.attemptsMax || options.signal?.aborted || options.isWorthRetrying?.(error) === false)
        throw error;
      const askedMs = (options.askedWaitMs?.(error) ?? 0) * (1 + deps.random() / 2);
      standingStill += 1;
      const waitMs = Math.max(backoffMs(policy, standingStill, deps.random), askedMs);
      options.onRetry?.(error, attempt, waitMs);
      await deps.clock.sleep(waitMs, options.signal);
    }
  }
}
