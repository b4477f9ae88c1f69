import type { FaultRecord } from '../faults/conduct.ts';
import type { Target } from '../plan/fault-catalogue.ts';
import type { LeaseTaken } from '../world/run-watch.ts';

/** The bar: a lease that nobody renews ends after its time, and a stand-by sees it within this. */
export const TAKEOVER_SLACK_MS = 2_000;

/**
 * How long the run was without a holder after a fault that took it from one; null for a fault that did not, or that another fault of
 * what a takeover needs lay over: then nothing can be said.
 */
export function takeoverMs(
  fault: FaultRecord,
  faults: readonly FaultRecord[],
  leases: readonly LeaseTaken[],
): number | null {
  if (!fault.heldTheLease) return null;
  const next = leases.find(({ atMs }) => atMs > fault.atMs);
  // A holder whose link comes back within its lease keeps it.
  if (fault.planned.action === 'cut' && next?.by === fault.process) return null;
  const endMs = next?.atMs ?? Number.POSITIVE_INFINITY;
  const overlaps = (other: FaultRecord): boolean =>
    other !== fault &&
    NEEDED.has(other.planned.target) &&
    other.atMs <= endMs &&
    (other.wholeAtMs ?? endMs) >= fault.atMs;
  return faults.some(overlaps) ? null : endMs - fault.atMs;
}

const NEEDED: ReadonlySet<Target> = new Set<Target>(['leaseHolder', 'otherOrchestrator', 'redis', 'redisLink']);
