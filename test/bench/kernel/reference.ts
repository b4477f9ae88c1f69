import type { KernelTerm, TruncatedSum } from '@flexlora/kernel';
import type { KernelCase } from './kernel-case.ts';
import type { Spread } from './spread.ts';

/** Another way to the same answer, which works out all of W: its time, and what the kernel's answer is worth against it. */
export interface Reference {
  readonly name: string;
  /** Times it up to `repeats` times; less often where one run is long. */
  measure(sum: MeasuredSum, repeats: number): Promise<ReferenceFigures>;
}

export interface MeasuredSum {
  readonly kernelCase: KernelCase;
  readonly terms: readonly KernelTerm[];
  /** What to compare; null where only the time is of interest. */
  readonly answer: TruncatedSum | null;
}

export interface ReferenceFigures {
  /** All clients' dense products, scaled and added. */
  readonly formSeconds: Spread;
  /** Full SVD of the sum. */
  readonly svdSeconds: Spread;
  /** Of the answer at each of `COMPARED_RANKS` up to the rank that was kept; empty where there was no answer. */
  readonly errors: readonly RankError[];
}

export interface RankError {
  readonly rank: number;
  /** ‖W − Ŵ‖_F / ‖W‖_F. */
  readonly relativeError: number;
  readonly optimalRelativeError: number;
}

/**
 * Its fastest run: the threads of a BLAS wait for one another in loops, so that whatever else runs on the machine costs it far more than the
 * kernel, whose median this is compared with.
 */
export function referenceSeconds({ formSeconds, svdSeconds }: ReferenceFigures): number {
  return formSeconds.min + svdSeconds.min;
}

/** Prefixes of one answer: what clients of these ranks receive. */
export const COMPARED_RANKS: readonly number[] = [8, 16, 32, 64];

export function comparedRanks(rank: number): readonly number[] {
  return [...COMPARED_RANKS.filter((each) => each < rank), rank];
}

/** An optimal error below this share of ‖W‖ is rounding of float32 factors: W has no more components, and a ratio of roundings says nothing. */
const NOTHING_LEFT = 1e-5;

/** How much larger than the smallest possible the error is, as a ratio minus 1; null where nothing is left to err on. */
export function excessOf({ relativeError, optimalRelativeError }: RankError): number | null {
  return optimalRelativeError < NOTHING_LEFT ? null : relativeError / optimalRelativeError - 1;
}

/** The largest over all prefixes; null where there is none. */
export function worstExcess(errors: readonly RankError[]): number | null {
  const known = errors.map(excessOf).filter((excess) => excess !== null);
  return known.length === 0 ? null : Math.max(...known);
}
