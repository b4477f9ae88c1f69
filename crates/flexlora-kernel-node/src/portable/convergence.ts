/**
 * An error of this share of ‖W‖_F, squared, comes from the rounding of float32 in each of the values kept: 2^-24, twice over for both
 * sides. Nothing smaller is looked for.
 */
const ROUNDING_SQUARED = 4 * 2 ** -48;

/**
 * What a value may grow by, relative to itself, because the basis and its image are rounded to float32: an observed size, not a bound. So
 * much is taken off an increment: large values have long arrived, and small ones must not be hidden behind their noise.
 */
const VALUE_NOISE = 2 ** -30;

/** The same relative to the largest value: directions that are nothing but the rounding of float32 have values of about (2^-24)² of it. */
const LARGEST_NOISE = 8 * 2 ** -48;

/**
 * Bounds of the ratio by which the increments of one value are taken to shrink, and the ratio before two increments are known. The lower
 * bound is for values that have just come out of the noise, whose first increment says little about the next.
 */
const SHRINK_MIN = 0.25;
const SHRINK_MAX = 0.9;
const SHRINK_FIRST = 0.75;

/** What one look at the Ritz values says. */
export interface Verdict {
  readonly isConverged: boolean;
  /** Estimated ‖W − answer‖_F over the smallest possible, minus 1. */
  readonly excess: number;
}

/**
 * Follows the squared Ritz values of a growing basis, of which the largest `rank` are kept. By interlacing every one of them only grows,
 * towards the squared singular value of W in its place. What it still misses is extrapolated from its last two increments as a geometric
 * series, each value for itself: the large ones arrive long before those that stand close together.
 */
export interface Convergence {
  /** `values` are the squared Ritz values, descending, at least `rank` of them; `outside` is the energy of W outside the basis. */
  look(values: Float64Array, outside: number): Verdict;
}

export function createConvergence(rank: number, tolerance: number): Convergence {
  let values: Float64Array | null = null;
  let increments: Float64Array | null = null;
  return {
    look: (all, outside) => {
      const [kept, before, earlier] = [all.slice(0, rank), values, increments];
      values = kept;
      if (before === null) return { isConverged: false, excess: Number.POSITIVE_INFINITY };
      const noise = (value: number): number => Math.max(VALUE_NOISE * value, LARGEST_NOISE * kept[0]!);
      increments = kept.map((value, j) => Math.max(0, value - noise(value) - before[j]!));
      const missing = sumOf(increments.map((increment, j) => missingAfter(increment, earlier?.[j])));
      const smallest = Math.max(0, sumOf(all.subarray(rank)) + outside - missing);
      const isRounding = missing <= ROUNDING_SQUARED * rank * sumOf(kept);
      const excess = excessOf(missing === 0 ? 0 : missing / smallest);
      return {
        isConverged: isRounding || missing <= (tolerance * tolerance - 1) * smallest,
        excess: isRounding ? Math.min(excess, tolerance - 1) : excess,
      };
    },
  };
}

/** The rest of the geometric series. */
function missingAfter(increment: number, earlier: number | undefined): number {
  const ratio = earlier === undefined ? SHRINK_FIRST : increment / Math.max(earlier, Number.MIN_VALUE);
  const shrink = Math.min(SHRINK_MAX, Math.max(SHRINK_MIN, ratio));
  return (increment * shrink) / (1 - shrink);
}

/** `√(1 + x) − 1` without cancellation. */
function excessOf(x: number): number {
  return x === Number.POSITIVE_INFINITY ? x : x / (Math.sqrt(1 + x) + 1);
}

function sumOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
