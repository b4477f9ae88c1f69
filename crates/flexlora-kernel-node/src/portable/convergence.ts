/** An error below this share of ‖W‖_F is not told apart from the rounding of float32: 3e-7, squared. */
const ROUNDING_SQUARED = 1e-13;

/** Bounds of the ratio by which the increments are taken to shrink, and the ratio before two increments are known. */
const SHRINK_MIN = 0.05;
const SHRINK_MAX = 0.9;
const SHRINK_FIRST = 0.5;

/** What one look at the Ritz values says. */
export interface Verdict {
  readonly isConverged: boolean;
  /** Estimated ‖W − answer‖_F over the smallest possible, minus 1. */
  readonly excess: number;
}

/**
 * Follows the energy that the best `rank` directions of a growing basis capture. By interlacing it only grows, towards the energy of the best approximation
 * of that rank. What is still missing is extrapolated from the last two increments as a geometric series.
 */
export interface Convergence {
  /** `values` are the squared Ritz values, descending; `outside` is the energy of W outside the basis. */
  look(values: Float64Array, outside: number): Verdict;
}

export function createConvergence(rank: number, tolerance: number): Convergence {
  let captured: number | null = null;
  let increment: number | null = null;
  return {
    look: (values, outside) => {
      const before = captured;
      captured = sumOf(values.subarray(0, rank));
      if (before === null) return { isConverged: false, excess: Number.POSITIVE_INFINITY };
      const earlier = increment;
      increment = Math.max(0, captured - before);
      const shrink = earlier === null ? SHRINK_FIRST : clamp(increment / Math.max(earlier, Number.MIN_VALUE));
      const missing = (increment * shrink) / (1 - shrink);
      const smallest = Math.max(0, sumOf(values.subarray(rank)) + outside - missing);
      const isRounding = missing <= ROUNDING_SQUARED * captured;
      const isExact = missing === 0 || (isRounding && smallest <= ROUNDING_SQUARED * captured);
      return {
        isConverged: isRounding || missing <= (tolerance * tolerance - 1) * smallest,
        excess: isExact ? 0 : excessOf(missing / smallest),
      };
    },
  };
}

/** `√(1 + x) − 1` without cancellation. */
function excessOf(x: number): number {
  return x === Number.POSITIVE_INFINITY ? x : x / (Math.sqrt(1 + x) + 1);
}

function clamp(shrink: number): number {
  return Math.min(SHRINK_MAX, Math.max(SHRINK_MIN, shrink));
}

function sumOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
