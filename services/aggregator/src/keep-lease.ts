import type { TaskRef } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { type Clock, failureOf, type Logger } from '@flexlora/runtime';
import { RENEW_MS_MIN, RENEWAL_TRIES_PER_LEASE, RENEWALS_PER_LEASE } from './limits.ts';
import type { TaskDoor } from './task-door.ts';

/** A claimed task's lease, renewed in the background. */
export interface KeptLease {
  /** Aborted with a {@link LeaseLost} when the orchestrator says that the task is another's, or nobody's. */
  readonly lost: AbortSignal;
  /** Ends the renewals. */
  release(): Promise<void>;
}

/** The orchestrator no longer counts on this aggregator for the task: its result would be thrown away. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/**
 * Only a refusal loses the lease. While the orchestrator is away nobody else can claim the task, and a holder that comes back first
 * keeps it: an outage costs no work.
 */
export function keepLease(
  deps: { readonly door: Pick<TaskDoor, 'renew'>; readonly clock: Clock; readonly logger: Logger },
  task: TaskRef,
  leaseMs: number,
): KeptLease {
  const lost = new AbortController();
  const released = new AbortController();
  const renewals = renewForEver(deps, task, leaseMs, released.signal).catch((error: unknown) => {
    if (!released.signal.aborted) lost.abort(error);
  });
  return {
    lost: lost.signal,
    release: async () => {
      released.abort();
      await renewals;
    },
  };
}

async function renewForEver(
  { door, clock, logger }: Parameters<typeof keepLease>[0],
  task: TaskRef,
  firstLeaseMs: number,
  released: AbortSignal,
): Promise<never> {
  let leaseMs = firstLeaseMs;
  let parts = RENEWALS_PER_LEASE;
  for (;;) {
    await clock.sleep(Math.max(RENEW_MS_MIN, leaseMs / parts), released);
    try {
      leaseMs = await door.renew(task, Math.max(1_000, leaseMs), released);
      parts = RENEWALS_PER_LEASE;
    } catch (error) {
      released.throwIfAborted();
      const failure = failureOf(error);
      if (failure.kind === 'refusal') throw new LeaseLost(failure.message, { cause: error });
      logger.warn({ reason: failure.message }, 'a lease could not be renewed; trying again');
      parts = RENEWAL_TRIES_PER_LEASE;
    }
  }
}
