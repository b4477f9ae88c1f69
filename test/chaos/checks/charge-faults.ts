import type { FaultRecord } from '../faults/conduct.ts';
import type { RunAccount } from '../run-under-faults.ts';

/** Less than this is what calls and frames need; more is bytes of an update. */
const NOISE_BYTES = 64 << 10;

/** What faults cost: each cost is charged to the last fault that came before it showed. */
export interface Charges {
  readonly bytesResent: number;
  readonly trainedAgain: number;
}

/**
 * Bytes that were sent again, and trainings that were begun again, by the number of the fault. What an undisturbed run sends of an
 * agent's update is what has to be sent.
 */
export function chargeFaults(disturbed: RunAccount, calm: RunAccount): ReadonlyMap<number, Charges> {
  const charges = new Map<number, { bytesResent: number; trainedAgain: number }>();
  const charge = (atMs: number, cost: Partial<Charges>): void => {
    const fault = lastBefore(disturbed.faults, atMs);
    if (fault === null) return;
    const sum = charges.get(fault.planned.number) ?? { bytesResent: 0, trainedAgain: 0 };
    charges.set(fault.planned.number, {
      bytesResent: sum.bytesResent + (cost.bytesResent ?? 0),
      trainedAgain: sum.trainedAgain + (cost.trainedAgain ?? 0),
    });
  };
  for (const { agentId, atMs, bytes, rounds } of disturbed.sent) {
    const needed = Math.max(0, ...calm.sent.filter((each) => each.agentId === agentId).map((each) => each.bytes));
    const bytesResent = bytes - rounds * needed;
    if (bytesResent > NOISE_BYTES) charge(atMs, { bytesResent });
  }
  for (const lines of disturbed.trainings.values()) {
    const seen = new Set<number>();
    for (const { round, atMs } of lines.filter(({ what }) => what === 'began')) {
      if (seen.has(round)) charge(atMs, { trainedAgain: 1 });
      seen.add(round);
    }
  }
  return charges;
}

export function lastBefore(faults: readonly FaultRecord[], atMs: number): FaultRecord | null {
  return faults.reduce<FaultRecord | null>(
    (last, fault) => (fault.atMs <= atMs && (last === null || fault.atMs > last.atMs) ? fault : last),
    null,
  );
}
