import { BLOCK_COLUMNS } from './cost.ts';
import { type Decomposition, NO_COMPONENTS } from './decomposition.ts';
import { type Heap, leadingOf } from './heap.ts';
import { gramOf } from './orthonormal.ts';
import { addTimes, type HeapMatrix, wholeTiles } from './products.ts';
import { eigenOf, eigenvaluesOf } from './symmetric-eigen.ts';

/** Values up to this share of the largest are not told from the rounding noise of float32: 5e-7, squared. */
const ABSENT_SQUARED = 2.5e-13;

/**
 * The basis Q, its image `Z = Wᵀ Q`, and in float64 `H = ZᵀZ = Qᵀ W Wᵀ Q` and `E = QᵀQ − 1`.
 *
 * The Ritz values are those of the pencil `H s = t (1 + E) s`. E is of the order of 2^-24, so `(1 + E)^(-1/2) = 1 − E/2` to 1e-14: the values are the
 * eigenvalues of `H − (EH + HE)/2`, and `s = (1 − E/2) x` with its eigenvectors x.
 */
export interface Space {
  readonly q: readonly HeapMatrix[];
  /** Adds a block that is orthonormal to the basis, and its image. */
  extend(q: HeapMatrix, z: HeapMatrix): void;
  /** Of W on the basis. */
  energy(): number;
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
  /** Block row p of the lower triangle of each: what came before stays as it is, bit for bit. */
  const h: BlockRows = [];
  const gram: BlockRows = [];
  const order = (): number => q.length * BLOCK_COLUMNS;

  const decompose = (rank: number, energyTotal: number): Decomposition => {
    if (q.length === 0) return { ...NO_COMPONENTS, energyTotal };
    const e = lessOne(assemble(gram), order());
    const eigen = eigenOf(heap, corrected(assemble(h), e, order()), order(), Math.min(rank, order()));
    const floor = ABSENT_SQUARED * (eigen.values[0] ?? 0);
    const present = eigen.vectors.filter((_, j) => eigen.values[j]! > floor).length;
    const values = eigen.values.slice(0, present).map(Math.sqrt);
    const vectors = eigen.vectors.slice(0, present).map((x) => {
      const ex = product(e, x, order(), 1);
      return x.map((entry, i) => entry - ex[i]! / 2);
    });
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
      gram.push(q.map((other) => gramOf(heap, block, other)));
    },
    energy: () => h.reduce((sum, blocks) => sum + traceOf(blocks.at(-1)!), 0),
    order,
    values: () => eigenvaluesOf(heap, corrected(assemble(h), lessOne(assemble(gram), order()), order()), order()),
    decompose,
  };
}

type BlockRows = (readonly Float64Array[])[];

/** The symmetric matrix, both triangles. */
function assemble(rows: BlockRows): Float64Array {
  const side = rows.length * BLOCK_COLUMNS;
  const matrix = new Float64Array(side * side);
  for (const [p, blocks] of rows.entries()) {
    for (const [s, block] of blocks.entries()) {
      for (let i = 0; i < BLOCK_COLUMNS; i += 1) {
        for (let j = 0; j < BLOCK_COLUMNS; j += 1) {
          const [row, column] = [p * BLOCK_COLUMNS + i, s * BLOCK_COLUMNS + j];
          const entry = block[i * BLOCK_COLUMNS + j]!;
          matrix[row * side + column] = entry;
          matrix[column * side + row] = entry;
        }
      }
    }
  }
  return matrix;
}

function traceOf(block: Float64Array): number {
  let trace = 0;
  for (let i = 0; i < BLOCK_COLUMNS; i += 1) trace += block[i * (BLOCK_COLUMNS + 1)]!;
  return trace;
}

/** `QᵀQ − 1`; vectors that are zeros have zeros in it. In place. */
function lessOne(gram: Float64Array, side: number): Float64Array {
  for (let i = 0; i < side; i += 1) {
    if (gram[i * (side + 1)]! > 0) gram[i * (side + 1)]! -= 1;
  }
  return gram;
}

/** `H − (EH + HE)/2`. */
function corrected(h: Float64Array, e: Float64Array, side: number): Float64Array {
  const eh = product(e, h, side, side);
  return h.map((entry, at) => {
    const [i, j] = [Math.floor(at / side), at % side];
    return entry - (eh[at]! + eh[j * side + i]!) / 2;
  });
}

/** `left · right`: left is side × side, right side × cols. */
function product(left: Float64Array, right: Float64Array, side: number, cols: number): Float64Array {
  const to = new Float64Array(side * cols);
  for (let i = 0; i < side; i += 1) {
    for (let t = 0; t < side; t += 1) {
      const factor = left[i * side + t]!;
      if (factor === 0) continue;
      for (let j = 0; j < cols; j += 1) to[i * cols + j]! += factor * right[t * cols + j]!;
    }
  }
  return to;
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
