import { type Refusal, refuse } from '../refusal.ts';

/** How far a download or an upload is, as an agent tells it. */
export interface TransferProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Over the last seconds; null: not known yet. */
  readonly bytesPerSecond: number | null;
}

/** The first thing that is wrong with it, or null. */
export function validateTransfer({ bytesDone, bytesTotal, bytesPerSecond }: TransferProgress): Refusal | null {
  if (!isBytes(bytesTotal))
    return refuse('badNumber', `bytes_total is ${bytesTotal}; allowed: a whole number of bytes from 0 on`);
  if (!isBytes(bytesDone) || bytesDone > bytesTotal)
    return refuse('badNumber', `bytes_done is ${bytesDone}; allowed: a whole number of bytes from 0 to ${bytesTotal}`);
  if (bytesPerSecond !== null && !(bytesPerSecond >= 0 && bytesPerSecond < Number.POSITIVE_INFINITY))
    return refuse('badNumber', `bytes_per_second is ${bytesPerSecond}; allowed: a finite number from 0 on, or none`);
  return null;
}

/** Seconds until all bytes are there at this rate; null while the rate is not known, and while nothing moves. */
export function secondsLeft({ bytesDone, bytesTotal, bytesPerSecond }: TransferProgress): number | null {
  const seconds = bytesPerSecond === null ? Number.NaN : (bytesTotal - bytesDone) / bytesPerSecond;
  return Number.isFinite(seconds) ? seconds : null;
}

const isBytes = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
