import { BLOCK_COLUMNS } from './cost.ts';
import type { Heap } from './heap.ts';
import { leadingOf } from './heap.ts';
import { addTimes, addTimesTransposed, type HeapMatrix } from './products.ts';
import { eigenOf } from './symmetric-eigen.ts';

/** A block of vectors of a length, one a row, so that vectors are contiguous. Rows of zeros are directions that were dropped. */
export function createBlock(heap: Heap, length: number): HeapMatrix {
  const ld = leadingOf(length);
  return { at: heap.allocateFloats(BLOCK_COLUMNS * ld), rows: BLOCK_COLUMNS, cols: length, ld };
}

/** `y − Q (Qᵀ y)`, block after block of Q. */
export function projectOut(heap: Heap, basis: readonly HeapMatrix[], y: HeapMatrix): void {
  for (const q of basis) {
    heap.scoped(() => {
      const along = createBlock(heap, BLOCK_COLUMNS);
      addTimesTransposed(heap, along, y, q);
      const values = heap.floats(along.at, along.rows * along.ld);
      for (let i = 0; i < values.length; i += 1) values[i] = -values[i]!;
      addTimes(heap, y, along, q);
    });
  }
}

/**
 * Makes the rows of `y` orthonormal by the eigenvectors of their Gram matrix. Directions whose energy is at most `drop` times the larger of
 * `scaleSquared` and the largest energy become rows of zeros. Says how many are left.
 */
export function orthonormalise(heap: Heap, y: HeapMatrix, scaleSquared: number, drop: number): number {
  const { values, vectors } = eigenOf(heap, gramOf(heap, y, y), BLOCK_COLUMNS);
  const floor = drop * Math.max(values[0]!, scaleSquared);
  const alive = values.filter((value) => value > floor && value > 0).length;
  heap.scoped(() => {
    const weights = createBlock(heap, BLOCK_COLUMNS);
    const rows = heap.floats(weights.at, BLOCK_COLUMNS * weights.ld);
    for (let j = 0; j < alive; j += 1) {
      rows.set(
        vectors[j]!.map((x) => x / Math.sqrt(values[j]!)),
        j * weights.ld,
      );
    }
    const turned = createBlock(heap, y.cols);
    addTimes(heap, turned, weights, y);
    copyBlock(heap, y, turned);
  });
  return alive;
}

export function copyBlock(heap: Heap, to: HeapMatrix, from: HeapMatrix): void {
  heap.floats(to.at, to.rows * to.ld).set(heap.floats(from.at, from.rows * from.ld));
}

/** The float64 products of the rows of two blocks, row-major. */
export function gramOf(heap: Heap, a: HeapMatrix, b: HeapMatrix): Float64Array {
  return heap.scoped(() => {
    const to = heap.allocateDoubles(a.rows * b.rows);
    heap.gram(to, b.rows, a.at, b.at, a.rows, b.rows, a.cols + (a.cols % 2), a.ld);
    return heap.doubles(to, a.rows * b.rows).slice();
  });
}
