import type { ProbeMeasurement } from './resource-profile.ts';

/** `y(r) = at0 + perRank · r`; perRank is never negative: a larger rank is never cheaper. */
export interface CostLine {
  readonly at0: number;
  readonly perRank: number;
}

/** What one training step costs at each rank: mem(r) = m0 + m1·r and t(r) = t0 + t1·r. */
export interface CostModel {
  readonly memoryBytes: CostLine;
  readonly stepSeconds: CostLine;
}

export const costAt = (line: CostLine, rank: number): number => line.at0 + line.perRank * rank;

/** Fits a probe's measurements at two different ranks or more (`validateProfile` sees to it). */
export function fitCostModel(measurements: readonly ProbeMeasurement[]): CostModel {
  return {
    memoryBytes: fitLine(measurements.map(({ rank, memoryBytes }) => [rank, memoryBytes])),
    stepSeconds: fitLine(measurements.map(({ rank, stepSeconds }) => [rank, stepSeconds])),
  };
}

/**
 * Theil–Sen: the median of the slopes of all pairs, then the median of what is left at rank 0. A probe is measured on a machine that does
 * other things too; one step that was disturbed moves a least-squares line, but not a median.
 */
function fitLine(points: readonly (readonly [rank: number, value: number])[]): CostLine {
  const slopes: number[] = [];
  for (const [i, [rank, value]] of points.entries()) {
    for (const [otherRank, otherValue] of points.slice(i + 1)) {
      if (otherRank !== rank) slopes.push((otherValue - value) / (otherRank - rank));
    }
  }
  const perRank = Math.max(0, median(slopes));
  return { at0: median(points.map(([rank, value]) => value - perRank * rank)), perRank };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? 0;
  const lower = sorted[Math.ceil(middle) - 1] ?? upper;
  return (lower + upper) / 2;
}
