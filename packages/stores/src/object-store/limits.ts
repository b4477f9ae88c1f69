import { type ByteRange, ObjectStoreFault, PART_BYTES_MIN, type StoredPart } from './port.ts';

/** S3 numbers parts up to this. */
export const PARTS_MAX = 10_000;
/** Pieces in which a stream is read from a file: large enough for the disk, small against the heap. */
export const READ_PIECE_BYTES = 256 << 10;

export function assertPart(part: number): void {
  if (Number.isInteger(part) && part >= 1 && part <= PARTS_MAX) return;
  throw new RangeError(`part is ${part}; allowed: a whole number from 1 to ${PARTS_MAX}`);
}

export function assertRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { start, end = start } = range;
  if (Number.isSafeInteger(start) && start >= 0 && Number.isSafeInteger(end) && end >= start) return;
  throw new RangeError(`byte range is ${start} to ${end}; allowed: whole numbers with 0 ≤ start ≤ end`);
}

/** Where a range begins and ends in an object of so many bytes. */
export function cutRange(
  range: ByteRange | undefined,
  bytes: number,
): { readonly start: number; readonly end: number } {
  const start = Math.min(range?.start ?? 0, bytes);
  return { start, end: Math.max(start, Math.min(range?.end ?? bytes, bytes)) };
}

/** S3 refuses these uploads when they are completed, so every store does. */
export function assertCompletable(name: string, parts: readonly StoredPart[]): void {
  if (parts.length === 0)
    throw new ObjectStoreFault(`upload of ${name} has no parts; write at least one before it is completed`);
  const small = parts.slice(0, -1).find(({ bytes }) => bytes < PART_BYTES_MIN);
  if (small !== undefined)
    throw new ObjectStoreFault(
      `part ${small.part} of the upload of ${name} has ${small.bytes} bytes; allowed: at least ${PART_BYTES_MIN} for every part but the last; write it again, larger`,
    );
}
