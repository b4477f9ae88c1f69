import { Fault, type Refusal } from '@flexlora/core';
import { type Clock, failureOf, isServiceError, type RetryDeps, type RetryPolicy, retry } from '@flexlora/runtime';
import type { Tell } from './agent-event.ts';
import type { PlatformDoor } from './platform-door.ts';

/** The platform as one agent sees it: calls that outlast outages. */
export interface PatientDoor extends Pick<PlatformDoor, 'agents' | 'transfers'> {
  /** Of the deadlines of its calls. */
  readonly clock: Clock;
  /**
   * Tries until there is an answer, and a refusal is one; or `attemptsMax` times, and throws the last error. Outages are retried with waits
   * that grow, and begin anew after a try that said `movedOn`, or those that the server asks for; what is neither (a bug, a disk that is full)
   * is thrown, as is the signal's reason.
   */
  patiently<T>(
    what: string,
    operation: (movedOn: () => void) => Promise<T>,
    signal: AbortSignal,
    attemptsMax?: number,
  ): Promise<T | Refusal>;
}

export function createPatientDoor(
  { agents, transfers }: Pick<PlatformDoor, 'agents' | 'transfers'>,
  policy: RetryPolicy,
  deps: RetryDeps & { readonly tell: Tell },
): PatientDoor {
  return {
    agents,
    transfers,
    clock: deps.clock,
    patiently: (what, operation, signal, attemptsMax = policy.attemptsMax) =>
      retry((_, movedOn) => refusalAsValue(() => operation(movedOn)), { ...policy, attemptsMax }, deps, {
        signal,
        isWorthRetrying: isOutage,
        askedWaitMs,
        onRetry: (error, _attempt, waitMs) =>
          deps.tell({ kind: 'retrying', what, message: messageOf(error), waitMs: Math.round(waitMs) }),
      }),
  };
}

/** Another try may succeed. */
export const isOutage = (error: unknown): boolean => isServiceError(error) || error instanceof Fault;

async function refusalAsValue<T>(operation: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await operation();
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const failure = failureOf(error);
    if (failure.kind === 'refusal') return failure;
    throw error;
  }
}

function askedWaitMs(error: unknown): number | null {
  const failure = failureOf(error);
  return failure.kind === 'unavailable' ? failure.retryMs : null;
}

const messageOf = (error: unknown): string =>
  isServiceError(error) ? failureOf(error).message : error instanceof Error ? error.message : String(error);
