import type { Factor } from '../kernel.ts';

/** A term that passed, its coefficient divided by `2^exponent` of the sum. */
export interface CheckedTerm {
  readonly coefficient: number;
  readonly rank: number;
  readonly b: Factor;
  readonly a: Factor;
}

/** A request that passed, at a scale near one: W = 2^exponent · Σ terms. */
export interface CheckedSum {
  readonly module: string;
  readonly out: number;
  readonly in: number;
  /** `min(rank, out, in)`. */
  readonly rank: number;
  readonly rankSum: number;
  readonly seed: bigint;
  readonly terms: readonly CheckedTerm[];
  readonly exponent: number;
  /** `Σ |c_k| ‖B_k‖_F ‖A_k‖_F`, scaled: an upper bound of ‖W‖_F, and the size that rounding errors are relative to. */
  readonly magnitude: number;
}
