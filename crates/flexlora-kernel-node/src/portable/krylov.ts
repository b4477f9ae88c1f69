import type { CheckedSum } from './checked-sum.ts';
import { createConvergence, type Verdict } from './convergence.ts';
import { BLOCK_COLUMNS } from './cost.ts';
import type { Decomposition } from './decomposition.ts';
import type { Heap } from './heap.ts';
import { copyBlock, createBlock, orthonormalise, projectOut } from './orthonormal.ts';
import { addTimes, addTimesTransposed, type HeapMatrix } from './products.ts';
import { createStream } from './random.ts';
import { createSpace, type Space } from './ritz.ts';

/**
 * Directions of a block with less energy than this share of the largest squared value are rounding noise of float32: 2^-21, squared. Not more: the
 * residuals of small values, which the next block lives on, are hardly larger.
 */
const NOISE_SQUARED = 2 ** -42;

/** A block whose largest direction has less energy than this is nothing but noise, and so is what is left of W: 2e-6, squared. */
const EXHAUSTED_SQUARED = 4e-12;

/**
 * After one projection and orthonormalisation the second takes away rounding, unless a direction was noise before: one that loses half of its energy was,
 * and would not be independent of the others.
 */
const SECOND_DROP = 0.5;

/** Up to this order the Ritz values are looked at after every block, above it when the basis has grown by a tenth. */
const EVERY_BLOCK_ORDER = 384;

/** Of the signs where the iteration starts: the same for every call, so that the same input gives the same bytes. */
const SIGNS_SEED = 0x6b72796c6f763438n;

/** The signs that fill a block have numbers from here on, those of a new start smaller ones. */
const FILL_NUMBER = 1 << 20;

const EXACT: Verdict = { isConverged: true, excess: 0 };

/** Where the iteration came to; the decomposition is the best so far in any case. */
export interface Iterated extends Verdict {
  readonly decomposition: Decomposition;
  readonly blocks: number;
}

export interface IterationBounds {
  readonly tolerance: number;
  readonly blocksMax: number;
}

/**
 * A block Krylov iteration with Rayleigh–Ritz on the whole space (Golub, Luk and Overton 1981; Musco and Musco 2015), full re-orthogonalisation ("twice is
 * enough"), blocks in float32 and the small problem in float64.
 */
export function iterate(
  heap: Heap,
  w: HeapMatrix,
  sum: CheckedSum,
  { tolerance, blocksMax }: IterationBounds,
): Iterated {
  const energyTotal = heap.sumOfSquares(w.at, w.rows * w.ld);
  const side = Math.min(w.rows, w.cols);
  const space = createSpace(heap);
  const convergence = createConvergence(sum.rank, tolerance);
  const x = createBlock(heap, w.cols);
  setSigns(heap, x, 0, 0);
  let verdict: Verdict = { isConverged: false, excess: Number.POSITIVE_INFINITY };
  let [largest, lookedAt, alive] = [0, 0, 0];
  for (;;) {
    const q = createBlock(heap, w.rows);
    addTimesTransposed(heap, q, x, w);
    let found = makeOrthonormal(heap, space, q, largest);
    if (found === 0 && energyTotal - space.energy() > EXHAUSTED_SQUARED * energyTotal) {
      // W repeats values more often than the block has vectors: the space takes no more of them from this start, but from another.
      setSigns(heap, x, 0, 1 + space.q.length);
      heap.floats(q.at, q.rows * q.ld).fill(0);
      addTimesTransposed(heap, q, x, w);
      found = makeOrthonormal(heap, space, q, largest);
    }
    alive += found;
    if (found === 0) verdict = EXACT;
    // Where the blocks are used up, this last product still said whether anything is left.
    if (found === 0 || space.q.length === blocksMax) break;
    const z = createBlock(heap, w.cols);
    addTimes(heap, z, q, w);
    space.extend(q, z);
    if (alive >= side && energyTotal - space.energy() <= EXHAUSTED_SQUARED * energyTotal) {
      verdict = EXACT;
      break;
    }
    if (space.order() <= EVERY_BLOCK_ORDER || space.order() * 10 >= lookedAt * 11 || space.q.length === blocksMax) {
      lookedAt = space.order();
      const values = space.values();
      largest = values[0]!;
      if (alive >= sum.rank) {
        const inside = values.reduce((energy, value) => energy + value, 0);
        verdict = convergence.look(values, Math.max(0, energyTotal - inside));
        if (verdict.isConverged) break;
      }
    }
    copyBlock(heap, x, z);
    const kept = orthonormalise(heap, x, largest, NOISE_SQUARED);
    // A product takes as long with empty rows as with a new start in them.
    setSigns(heap, x, kept, FILL_NUMBER + space.q.length);
  }
  return { ...verdict, decomposition: space.decompose(sum.rank, energyTotal), blocks: space.q.length };
}

/** How many directions of `y` lie outside the basis; `y` is the orthonormal rest. */
function makeOrthonormal(heap: Heap, space: Space, y: HeapMatrix, largest: number): number {
  projectOut(heap, space.q, y);
  if (largestEnergy(heap, y) <= EXHAUSTED_SQUARED * largest) return 0;
  if (orthonormalise(heap, y, largest, NOISE_SQUARED) === 0) return 0;
  projectOut(heap, space.q, y);
  return orthonormalise(heap, y, 1, SECOND_DROP);
}

/** Of a row of a block. */
function largestEnergy(heap: Heap, { at, rows, ld }: HeapMatrix): number {
  let largest = 0;
  for (let row = 0; row < rows; row += 1) largest = Math.max(largest, heap.sumOfSquares(at + row * ld * 4, ld));
  return largest;
}

/**
 * Random signs in the rows from `first` on, of norm 1 where others stand before them; another number gives others. The 48 of position i are the low bits of
 * the first number of stream i.
 */
function setSigns(heap: Heap, x: HeapMatrix, first: number, number: number): void {
  const values = heap.floats(x.at, x.rows * x.ld);
  const size = first === 0 ? 1 : 1 / Math.sqrt(x.cols);
  for (let i = 0; i < x.cols && first < BLOCK_COLUMNS; i += 1) {
    const bits = createStream(SIGNS_SEED + BigInt(number), BigInt(i)).nextU64();
    const [low, high] = [Number(bits & 0xffffffffn), Number(bits >> 32n)];
    for (let j = first; j < BLOCK_COLUMNS; j += 1) {
      const bit = j < 32 ? (low >>> j) & 1 : (high >>> (j - 32)) & 1;
      values[j * x.ld + i] = bit === 0 ? size : -size;
    }
  }
}
