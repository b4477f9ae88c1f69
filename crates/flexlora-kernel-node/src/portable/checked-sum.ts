/** What is known of W besides its values, which are held at a scale near one: W = 2^exponent · (what is held). */
export interface CheckedSum {
  readonly module: string;
  readonly out: number;
  readonly in: number;
  /** `min(rank, out, in)`. */
  readonly rank: number;
  readonly seed: bigint;
  readonly exponent: number;
  /** `Σ |c_k| ‖B_k‖_F ‖A_k‖_F`, scaled: an upper bound of ‖W‖_F, and the size that rounding errors are relative to. */
  readonly magnitude: number;
  /** Of the arithmetic that summed. */
  readonly roundoff: number;
}
