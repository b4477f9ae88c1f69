import type { ReportProgressRequest } from '@flexlora/contracts/agent/v1/agent_service';
import type { CohortMember } from '@flexlora/contracts/run/v1/run_service';
import { type Refusal, refuse, secondsLeft, type TransferProgress } from '@flexlora/core';
import { RATE_AGE_MS_MAX } from '../limits.ts';

type ToldBytes = Pick<ReportProgressRequest, 'bytesDone' | 'bytesTotal' | 'bytesPerSecond'>;
type ShownBytes = Pick<CohortMember, 'bytesDone' | 'bytesTotal' | 'bytesPerSecond' | 'secondsLeft'>;

/** How far a transfer is, from a report, as yet unchecked; null when it tells nothing of that. */
export function transferFromMessage({
  bytesDone,
  bytesTotal,
  bytesPerSecond,
}: ToldBytes): TransferProgress | Refusal | null {
  if (bytesDone === undefined && bytesTotal === undefined && bytesPerSecond === undefined) return null;
  if (bytesDone === undefined || bytesTotal === undefined) {
    const missing = bytesDone === undefined ? 'bytes_done' : 'bytes_total';
    return refuse(
      'badNumber',
      `${missing} is not set; allowed: bytes_done and bytes_total together, or none of the transfer's fields`,
    );
  }
  return { bytesDone, bytesTotal, bytesPerSecond: bytesPerSecond ?? null };
}

/** The same for operators, as it was told `ageMs` ago. */
export function transferMessage(told: TransferProgress, ageMs: number): ShownBytes {
  const transfer = ageMs > RATE_AGE_MS_MAX ? { ...told, bytesPerSecond: null } : told;
  const { bytesDone, bytesTotal, bytesPerSecond } = transfer;
  return {
    bytesDone,
    bytesTotal,
    bytesPerSecond: bytesPerSecond ?? undefined,
    secondsLeft: secondsLeft(transfer) ?? undefined,
  };
}
