import { secondsLeft } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import type { Tell } from './agent-event.ts';
import type { RoundProgress } from './progress-reporter.ts';
import { createTransferRate } from './transfer-rate.ts';

/** Tells how one transfer goes on, with its rate and the time left: to whoever listens to the agent, and to the server. */
export function followTransfer(
  { tell, clock }: { readonly tell: Tell; readonly clock: Clock },
  progress: RoundProgress,
  which: { readonly stage: 'downloading' | 'uploading'; readonly round: number; readonly loss: number | null },
): (bytes: number, total: number) => void {
  const { stage, round, loss } = which;
  const rate = createTransferRate(clock);
  return (bytes, total) => {
    rate.note(bytes);
    const transfer = { bytesDone: bytes, bytesTotal: total, bytesPerSecond: rate.bytesPerSecond() };
    const left = secondsLeft(transfer);
    tell({
      kind: stage,
      round,
      bytes,
      total,
      bytesPerSecond: transfer.bytesPerSecond,
      secondsLeft: left === null ? null : Math.ceil(left),
    });
    progress.tell({ stage, fraction: total > 0 ? bytes / total : 0, loss, transfer });
  };
}
