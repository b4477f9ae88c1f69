/** Seconds of several runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** Of an even number, the lower of the two in the middle: a time that was measured. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((x, y) => x - y);
  return {
    median: sorted[(sorted.length - 1) >> 1]!,
    min: sorted[0]!,
    max: sorted.at(-1)!,
    runs: sorted.length,
  };
}
