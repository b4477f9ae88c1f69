import type { Factor } from '../kernel.ts';
import { BYTES_PER_VALUE } from './factor.ts';
import type { Heap } from './heap.ts';
import type { Address } from './wasm.ts';

/** Values of a factor that are widened at once: they stay in the processor's cache. */
const SLAB_VALUES = 2 ** 16;

/** Hands rows `from … to − 1` of a factor out as float32 in the heap, dense and row-major, as many at a time as a slab holds. */
export function eachSlab(
  heap: Heap,
  factor: Factor,
  [from, to]: readonly [from: number, to: number],
  visit: (at: Address, firstRow: number, rows: number) => void,
): void {
  const rowBytes = factor.cols * BYTES_PER_VALUE[factor.dtype];
  const rowsMax = Math.max(1, Math.floor(SLAB_VALUES / factor.cols));
  heap.scoped(() => {
    const raw = heap.allocateFloats(rowsMax * factor.cols);
    const wide = heap.allocateFloats(rowsMax * factor.cols);
    for (let row = from; row < to; row += rowsMax) {
      const rows = Math.min(rowsMax, to - row);
      heap.bytes(raw, rows * rowBytes).set(factor.bytes.subarray(row * rowBytes, (row + rows) * rowBytes));
      visit(widened(heap, factor, wide, raw, rows * factor.cols), row, rows);
    }
  });
}

/** Little-endian, as WebAssembly's memory is. */
function widened(heap: Heap, { dtype }: Factor, wide: Address, raw: Address, count: number): Address {
  switch (dtype) {
    case 'F32':
      return raw;
    case 'F16':
      heap.widenHalf(wide, raw, count);
      return wide;
    case 'BF16':
      heap.widenBf16(wide, raw, count);
      return wide;
  }
}
