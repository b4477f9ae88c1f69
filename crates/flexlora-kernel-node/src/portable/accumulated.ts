import type { KernelTerm } from '../kernel.ts';
import type { CheckedSum } from './checked-sum.ts';
import { type Columns, zeroColumns } from './columns.ts';
import { GROUP_COLUMNS } from './cost.ts';
import { eachSlab } from './factor-slabs.ts';
import { type Heap, leadingOf } from './heap.ts';
import { type Iterated, type IterationBounds, iterate } from './krylov.ts';
import { wholeColumns, wholeTiles } from './products.ts';
import { timesPowerOfTwo } from './scale.ts';
import { TILE_ROWS } from './wasm.ts';

/** Rows of W that are in the heap at once while it grows: whole tiles, and few enough for the nearer caches. */
const SLAB_ROWS = 16 * TILE_ROWS;

/** W in float32, as the terms come in, and the columns that are not in it yet. */
export interface AccumulatedSum {
  readonly out: number;
  readonly in: number;
  /** Row-major, its rows padded with zeros to `leadingOf(in)`. */
  readonly w: Float32Array;
  /**
   * Columns of B, one a row, and rows of A, padded in the same way. A group ends at a column whose number is a multiple of `GROUP_COLUMNS`, so that neither
   * the batches nor the terms decide what is multiplied at once.
   */
  readonly groupB: Float32Array;
  readonly groupA: Float32Array;
  /** Those of the group that are there. */
  columns: number;
}

export function createAccumulated(out: number, cols: number, rankSum: number): AccumulatedSum {
  const group = Math.min(GROUP_COLUMNS, rankSum);
  return {
    out,
    in: cols,
    w: new Float32Array(out * leadingOf(cols)),
    groupB: new Float32Array(group * leadingOf(out)),
    groupA: new Float32Array(group * leadingOf(cols)),
    columns: 0,
  };
}

/** Adds `coefficient · B A`. A is held times `2^-aExponent`, so that a factor of any size fits float32 together with the other. */
export function addToAccumulated(
  heap: Heap,
  sum: AccumulatedSum,
  { b, a }: KernelTerm,
  coefficient: number,
  aExponent: number,
): void {
  const [ldB, ldA] = [leadingOf(sum.out), leadingOf(sum.in)];
  const group = sum.groupA.length / ldA;
  const factorB = timesPowerOfTwo(coefficient, aExponent);
  for (let from = 0; from < a.rows; ) {
    const count = Math.min(group - sum.columns, a.rows - from);
    heap.scoped(() => {
      const rows = heap.allocateFloats(count * Math.max(ldA, ldB));
      eachSlab(heap, a, [from, from + count], (at, first, taken) =>
        heap.place(rows + (first - from) * ldA * 4, ldA, at, sum.in, taken, sum.in, timesPowerOfTwo(1, -aExponent)),
      );
      sum.groupA.set(heap.floats(rows, count * ldA), sum.columns * ldA);
    });
    heap.scoped(() => {
      const rows = heap.allocateFloats(count * ldB);
      eachSlab(heap, b, [0, sum.out], (at, first, taken) =>
        heap.placeTransposed(rows + first * 4, ldB, at + from * 4, b.cols, taken, count, factorB),
      );
      sum.groupB.set(heap.floats(rows, count * ldB), sum.columns * ldB);
    });
    sum.columns += count;
    from += count;
    if (sum.columns === group) flush(heap, sum);
  }
}

/** W += the group, slab after slab of rows. */
function flush(heap: Heap, sum: AccumulatedSum): void {
  const { out, in: cols, w, groupA, groupB, columns } = sum;
  const [ldB, ldA] = [leadingOf(out), leadingOf(cols)];
  if (columns === 0) return;
  heap.scoped(() => {
    const packedA = heap.allocateFloats(columns * wholeColumns(cols));
    heap.scoped(() => {
      const rows = heap.allocateFloats(columns * ldA);
      heap.floats(rows, columns * ldA).set(groupA.subarray(0, columns * ldA));
      heap.packColumns(packedA, rows, columns, cols, ldA);
    });
    const rowsB = heap.allocateFloats(columns * ldB);
    heap.floats(rowsB, columns * ldB).set(groupB.subarray(0, columns * ldB));
    const packedB = heap.allocateFloats(columns * SLAB_ROWS);
    const slab = heap.allocateFloats(SLAB_ROWS * ldA);
    for (let row = 0; row < out; row += SLAB_ROWS) {
      const rows = Math.min(SLAB_ROWS, out - row);
      heap.packRowsTransposed(packedB, rowsB + row * 4, rows, columns, ldB);
      heap.floats(slab, rows * ldA).set(w.subarray(row * ldA, (row + rows) * ldA));
      heap.addProduct(slab, packedB, packedA, rows, cols, columns, ldA);
      w.set(heap.floats(slab, rows * ldA), row * ldA);
    }
  });
  sum.columns = 0;
}

/** What is held times `2^power`. */
export function scaleAccumulated({ w, groupB }: AccumulatedSum, power: number): void {
  const factor = timesPowerOfTwo(1, power);
  for (const values of [w, groupB]) {
    for (let i = 0; i < values.length; i += 1) values[i]! *= factor;
  }
}

/** The iteration on W, which is still there afterwards. */
export function iterateAccumulated(
  heap: Heap,
  held: AccumulatedSum,
  sum: CheckedSum,
  bounds: IterationBounds,
): Iterated {
  flush(heap, held);
  const ld = leadingOf(held.in);
  return heap.scoped(() => {
    const at = heap.allocateFloats(wholeTiles(held.out) * ld);
    heap.floats(at, held.w.length).set(held.w);
    return iterate(heap, { at, rows: held.out, cols: held.in, ld }, sum, bounds);
  });
}

/** W or its transpose, whichever is tall, for the dense method. */
export function tallOf({ out, in: cols, w }: AccumulatedSum): Columns {
  const ld = leadingOf(cols);
  const isTall = out >= cols;
  const tall = isTall ? zeroColumns(out, cols) : zeroColumns(cols, out);
  for (let i = 0; i < out; i += 1) {
    for (let j = 0; j < cols; j += 1) tall[isTall ? j : i]![isTall ? i : j] = w[i * ld + j]!;
  }
  return tall;
}
