import type { CheckedSum } from './checked-sum.ts';
import { createConvergence, type Verdict } from './convergence.ts';
import { BLOCK_COLUMNS } from './cost.ts';
import type { Decomposition } from './decomposition.ts';
import type { Heap } from './heap.ts';
import { copyBlock, createBlock, orthonormalise, projectOut } from './orthonormal.ts';
import { addTimes, addTimesTransposed, type HeapMatrix } from './products.ts';
import { createStream } from './random.ts';
import { createSpace, NOISE_SQUARED, type Space } from './ritz.ts';

/** After one projection and orthonormalisation, what the second takes away of a direction is rounding, unless it was noise before. */
const SECOND_DROP = 1e-3;

/** Up to this order the Ritz values are looked at after every block, above it when the basis has grown by a tenth. */
const EVERY_BLOCK_ORDER = 384;

/** Of the signs where the iteration starts: the same for every call, so that the same input gives the same bytes. */
const SIGNS_SEED = 0x6b72796c6f763438n;

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
  const x = createStart(heap, w.cols);
  let verdict: Verdict = { isConverged: false, excess: Number.POSITIVE_INFINITY };
  let [largest, lookedAt, alive] = [0, 0, 0];
  for (;;) {
    const q = createBlock(heap, w.rows);
    addTimesTransposed(heap, q, x, w);
    const found = makeOrthonormal(heap, space, q, largest);
    alive += found;
    if (found === 0) verdict = EXACT;
    // Where the blocks are used up, this last product still said whether anything is left.
    if (found === 0 || space.q.length === blocksMax) break;
    const z = createBlock(heap, w.cols);
    addTimes(heap, z, q, w);
    space.extend(q, z);
    if (alive >= side) {
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
    orthonormalise(heap, x, largest, NOISE_SQUARED);
  }
  return { ...verdict, decomposition: space.decompose(sum.rank, energyTotal), blocks: space.q.length };
}

/** How many directions of `y` lie outside the basis; `y` is the orthonormal rest. */
function makeOrthonormal(heap: Heap, space: Space, y: HeapMatrix, largest: number): number {
  projectOut(heap, space.q, y);
  if (orthonormalise(heap, y, largest, NOISE_SQUARED) === 0) return 0;
  projectOut(heap, space.q, y);
  return orthonormalise(heap, y, 0, SECOND_DROP);
}

/** Random signs; the 48 of position i are the low bits of the first number of stream i. */
function createStart(heap: Heap, length: number): HeapMatrix {
  const x = createBlock(heap, length);
  const values = heap.floats(x.at, x.rows * x.ld);
  for (let i = 0; i < length; i += 1) {
    const bits = createStream(SIGNS_SEED, BigInt(i)).nextU64();
    const [low, high] = [Number(bits & 0xffffffffn), Number(bits >> 32n)];
    for (let j = 0; j < BLOCK_COLUMNS; j += 1) {
      const bit = j < 32 ? (low >>> j) & 1 : (high >>> (j - 32)) & 1;
      values[j * x.ld + i] = bit === 0 ? 1 : -1;
    }
  }
  return x;
}
