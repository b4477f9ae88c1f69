import { BLOCK_COLUMNS } from './cost.ts';
import { type Decomposition, NO_COMPONENTS } from './decomposition.ts';
import { type Heap, leadingOf } from './heap.ts';
import { gramOf } from './orthonormal.ts';
import { addTimes, type HeapMatrix, wholeTiles } from './products.ts';
import { eigenOf, eigenvaluesOf } from './symmetric-eigen.ts';

/** Values below this share of the largest, squared, are rounding noise of float32. */
export const NOISE_SQUARED = 4e-12;

/** The basis Q, its image `Z = Wᵀ Q`, and `H = ZᵀZ = Qᵀ W Wᵀ Q` in float64. */
export interface Space {
  readonly q: readonly HeapMatrix[];
  /** Adds a block that is orthonormal to the basis, and its image. */
  extend(q: HeapMatrix, z: HeapMatrix): void;
  /** Columns of the basis, those that were dropped included. */
  order(): number;
  /** The squared Ritz values, descending. */
  values(): Float64Array;
  /** `W ≈ Q S (Z S)ᵀ` with the leading eigenvectors S of H, at most `rank`. */
  decompose(rank: number, energyTotal: number): Decomposition;
}

export function createSpace(heap: Heap): Space {
  const q: HeapMatrix[] = [];
  const z: HeapMatrix[] = [];
  /** Block row p of the lower triangle: what came before stays as it is, bit for bit. */
  const h: (readonly Float64Array[])[] = [];
  const order = (): number => q.length * BLOCK_COLUMNS;

  const assemble = (): Float64Array => {
    const side = order();
    const matrix = new Float64Array(side * side);
    for (const [p, blocks] of h.entries()) {
      for (const [s, block] of blocks.entries()) {
        for (let i = 0; i < BLOCK_COLUMNS; i += 1) {
          const row = block.subarray(i * BLOCK_COLUMNS, (i + 1) * BLOCK_COLUMNS);
          matrix.set(row, (p * BLOCK_COLUMNS + i) * side + s * BLOCK_COLUMNS);
        }
      }
    }
    return matrix;
  };

  const decompose = (rank: number, energyTotal: number): Decomposition => {
    if (q.length === 0) return { ...NO_COMPONENTS, energyTotal };
    const eigen = eigenOf(heap, assemble(), order(), Math.min(rank, order()));
    const floor = NOISE_SQUARED * (eigen.values[0] ?? 0);
    const present = eigen.vectors.filter((_, j) => eigen.values[j]! > floor).length;
    const values = eigen.values.slice(0, present).map(Math.sqrt);
    const vectors = eigen.vectors.slice(0, present);
    const scaled = vectors.map((vector, j) => vector.map((x) => x / values[j]!));
    return {
      u: combine(heap, q, vectors).map((row) => new Float64Array(row)),
      values,
      v: orthonormalInOrder(heap, combine(heap, z, scaled)),
      energyTotal,
    };
  };

  return {
    q,
    extend: (block, image) => {
      q.push(block);
      z.push(image);
      h.push(z.map((other) => gramOf(heap, image, other)));
    },
    order,
    values: () => eigenvaluesOf(heap, assemble(), order()),
    decompose,
  };
}

/** Rows times coefficients: row j is `Σ_i coefficients[j][i] · (row i of all blocks)`. */
function combine(
  heap: Heap,
  blocks: readonly HeapMatrix[],
  coefficients: readonly Float64Array[],
): readonly Float32Array[] {
  const [rows, length] = [coefficients.length, blocks[0]?.cols ?? 0];
  return heap.scoped(() => {
    const ld = leadingOf(blocks.length * BLOCK_COLUMNS);
    const left = heap.allocateFloats(rows * ld);
    const to = {
      at: heap.allocateFloats(wholeTiles(rows) * leadingOf(length)),
      rows,
      cols: length,
      ld: leadingOf(length),
    };
    const values = heap.floats(left, rows * ld);
    for (const [j, row] of coefficients.entries()) values.set(row, j * ld);
    for (const [p, block] of blocks.entries())
      addTimes(heap, to, { at: left + p * BLOCK_COLUMNS * 4, rows, cols: BLOCK_COLUMNS, ld }, block);
    const product = heap.floats(to.at, rows * to.ld);
    return coefficients.map((_, j) => product.slice(j * to.ld, j * to.ld + length));
  });
}

/** What float32 leaves of orthogonality in directions of small values is put right, each against those of larger values, twice. */
function orthonormalInOrder(heap: Heap, rows: readonly Float32Array[]): readonly Float64Array[] {
  const length = rows[0]?.length ?? 0;
  const ld = leadingOf(length);
  return heap.scoped(() => {
    const at = heap.allocateDoubles(rows.length * ld);
    const values = heap.doubles(at, rows.length * ld);
    const even = length + (length % 2);
    return rows.map((row, j) => {
      const own = values.subarray(j * ld, j * ld + length);
      own.set(row);
      heap.orthogonalize(at + j * ld * 8, at, j, even, ld);
      const size = Math.sqrt(heap.orthogonalize(at + j * ld * 8, at, j, even, ld));
      for (let i = 0; i < length; i += 1) own[i]! /= size;
      return own.slice();
    });
  });
}
