import type { PlanShape, PortableMethod } from './plan.ts';

/**
 * What each method takes: operations, bytes, and seconds at measured rates. The formulas are those of `cost.rs`; the rates are the portable kernel's own,
 * of `npm run bench:kernel -- --regret --kernel portable` on one core with AVX-512, of which WebAssembly uses 128 bits. Only their ratios decide.
 */
export interface Cost {
  readonly operations: number;
  readonly scratchBytes: number;
  readonly seconds: number;
}

/** Operations per second of products and QR in float64, in JavaScript, and of the proof, reading the factors included. */
const DOUBLE = 1.3e9;
/** Of a one-sided Jacobi SVD in JavaScript, counted as the operations of a bidiagonalisation. */
const JACOBI = 1.7e8;
/** Of `W += B A` and of products with W, in float32, in WebAssembly. */
const PRODUCTS = 3.5e10;
/** Of products of skinny float32 blocks in float64. */
const GRAM = 8e9;
/** Of the small symmetric eigenproblems in float64. */
const EIGEN = 2e9;
/** What a call takes in any case, seconds: the way to the thread and back. */
const FIXED = 1e-3;
/** What the iteration takes beside, seconds: small blocks and calls from one language into the other. */
const FIXED_ITERATION = 1e-3;

/** Floating point operations per cubed side of a square SVD with both sets of vectors (Golub and Van Loan, 4th ed., table 8.6.1). */
const SVD_OPERATIONS = 22;
/** Of a symmetric eigenproblem with vectors (the same, section 8.3). */
const EIGEN_OPERATIONS = 9;

/** Columns that the iteration adds to its basis at a time: whole tiles of a product. */
export const BLOCK_COLUMNS = 48;

/** Columns of the terms that are added to W at once. */
export const GROUP_COLUMNS = 256;

/**
 * Blocks for a spectrum between steep and flat: enough columns for the rank, and some steps more for the accuracy; what the terms' ranks span, and
 * what the short side has, is exhausted earlier.
 */
export function blocksExpected(shape: PlanShape): number {
  const spanned = Math.max(1, Math.ceil(shape.rankSum / BLOCK_COLUMNS));
  return Math.min(Math.ceil(shape.rank / BLOCK_COLUMNS) + 4, spanned, blocksToFill(shape), blocksMax(shape));
}

/**
 * The iteration ends here, converged or not: the basis spans everything, or has grown beyond what it is worth. One block more than fill the short
 * side, because directions that are rounding noise are dropped from those before.
 */
export function blocksMax(shape: PlanShape): number {
  return Math.min(blocksToFill(shape) + 1, 3 * Math.ceil(shape.rank / BLOCK_COLUMNS) + 24);
}

function blocksToFill({ out, in: cols }: PlanShape): number {
  return Math.ceil(Math.min(out, cols) / BLOCK_COLUMNS);
}

/** (operations, operations per second) of a phase. */
type Phase = readonly [operations: number, rate: number];

export function cost(method: PortableMethod, shape: PlanShape, blocks: number): Cost {
  const { out, in: cols, rankSum } = shape;
  const phases: readonly Phase[] = [[16 * (out + cols) * rankSum, DOUBLE], ...phasesOf(method, shape, blocks)];
  const seconds = phases.reduce((sum, [operations, rate]) => sum + operations / rate, FIXED);
  return {
    operations: phases.reduce((sum, [operations]) => sum + operations, 0),
    scratchBytes: scratchBytes(method, shape),
    seconds: method === 'accumulated' ? seconds + FIXED_ITERATION : seconds,
  };
}

function phasesOf(method: PortableMethod, shape: PlanShape, blocks: number): readonly Phase[] {
  const { out, in: cols, rankSum, rank } = shape;
  const [short, long] = [Math.min(out, cols), Math.max(out, cols)];
  const vectors = (side: number) => 4 * (out + cols) * side * Math.min(rank, side);
  switch (method) {
    case 'stacked':
      return [
        [2 * rankSum * rankSum * (out + cols) + vectors(rankSum), DOUBLE],
        [SVD_OPERATIONS * rankSum ** 3, JACOBI],
      ];
    case 'accumulated':
      return [[2 * out * cols * rankSum, PRODUCTS], ...iteration(shape, blocks)];
    case 'dense':
      return [
        [2 * out * cols * rankSum + 2 * long * short * short + vectors(short), DOUBLE],
        [SVD_OPERATIONS * short ** 3, JACOBI],
      ];
  }
}

function iteration({ out, in: cols, rank }: PlanShape, blocks: number): readonly Phase[] {
  const basis = blocks * BLOCK_COLUMNS;
  return [
    [4 * out * cols * basis, PRODUCTS],
    // Every block against the basis so far: twice there and back on the side of the basis, once in float64 on the other.
    [4 * out * basis * basis + 4 * out * basis * BLOCK_COLUMNS, PRODUCTS],
    [cols * basis * basis + 4 * (out + cols) * basis * BLOCK_COLUMNS, GRAM],
    [(EIGEN_OPERATIONS * basis ** 3 * (1 + blocks / 4)) / 3, EIGEN],
    [2 * (out + cols) * basis * rank, PRODUCTS],
    [4 * cols * rank ** 2, GRAM],
  ];
}

/** An upper bound, whatever the terms are; the copies of their factors on the way to the thread count as the caller's. */
function scratchBytes(method: PortableMethod, shape: PlanShape): number {
  const { out, in: cols, rank } = shape;
  const sides = out + cols;
  const answer = 4 * sides * rank + 16 * sides * rank;
  const proof = 8 * sides * 32;
  return heldBytes(method, shape) + answer + proof + 2 ** 20;
}

function heldBytes(method: PortableMethod, shape: PlanShape): number {
  const { out, in: cols, rankSum } = shape;
  const sides = out + cols;
  switch (method) {
    case 'stacked':
      return 8 * sides * rankSum + 8 * 6 * rankSum ** 2;
    case 'accumulated': {
      const basis = blocksMax(shape) * BLOCK_COLUMNS;
      // W beside its copy in the memory of WebAssembly, with rows that are padded; groups, panels and slabs; the basis, its image and H.
      return (
        8 * out * (cols + 32) +
        4 * sides * 1024 +
        4 * (sides + 64) * (basis + 8 * BLOCK_COLUMNS) +
        8 * basis * basis * 6
      );
    }
    case 'dense':
      // W and one term.
      return 8 * out * cols + 8 * 6 * Math.min(out, cols) ** 2 + 8 * sides * rankSum;
  }
}
