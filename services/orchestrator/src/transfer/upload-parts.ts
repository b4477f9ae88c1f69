import type { StoredPart } from '@flexlora/stores';
import { PART_BYTES } from '../limits.ts';

/** Every part but the last has `PART_BYTES`, so a part's number follows from its offset. */
export const partNumberAt = (offset: number): number => Math.floor(offset / PART_BYTES) + 1;

/** Bytes of the part that begins at `offset` of a file of `bytes`. */
export const partBytesAt = (offset: number, bytes: number): number => Math.min(PART_BYTES, bytes - offset);

/** Whether a stream may begin here: where a part begins, or where everything is durable. */
export const isPartBoundary = (offset: number, bytes: number): boolean => offset === bytes || offset % PART_BYTES === 0;

/** The end of the unbroken row of whole parts: everything before it is durable. */
export function durableOffset(parts: readonly StoredPart[], bytes: number): number {
  let offset = 0;
  for (const { part, bytes: stored } of parts) {
    if (offset >= bytes || part !== partNumberAt(offset) || stored !== partBytesAt(offset, bytes)) break;
    offset += stored;
  }
  return offset;
}
