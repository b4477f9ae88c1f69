/**
 * Bytes of factors that are read before they are handed to `KernelSum.add`: a module of a few sites in one batch, and little beside what the
 * kernel holds of a large module (W of 4096 × 4096 in float64 has 128 MiB).
 */
export const BATCH_BYTES_MAX = 32 << 20;

/** Consecutive items whose bytes sum to at most `bytesMax`; an item above that is a batch of its own. The order stays. */
export function batchesOf<Item>(
  items: readonly Item[],
  bytesOf: (item: Item) => number,
  bytesMax: number,
): readonly (readonly Item[])[] {
  const batches: Item[][] = [];
  let held = 0;
  for (const item of items) {
    const bytes = bytesOf(item);
    const last = batches.at(-1);
    if (last !== undefined && held + bytes <= bytesMax) {
      last.push(item);
      held += bytes;
    } else {
      batches.push([item]);
      held = bytes;
    }
  }
  return batches;
}
