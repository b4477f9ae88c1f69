import type { Kernel, KernelMethod, KernelTerm, TruncatedSum } from '@flexlora/kernel';
import type { KernelCase } from './kernel-case.ts';
import { type Spread, spreadOf } from './spread.ts';

export interface SumFigures {
  readonly method: KernelMethod;
  readonly fallbackFrom: KernelMethod | null;
  readonly converged: boolean;
  readonly blocks: number;
  readonly operations: number;
  readonly forecastSeconds: number;
  /** Wall time from the first term handed over to the answer. */
  readonly seconds: Spread;
  /** Of that, until all terms were added. */
  readonly addSeconds: Spread;
  readonly tolerance: number;
  /** As the kernel estimates it. */
  readonly estimatedExcess: number;
  readonly residual: number;
}

export interface MeasureOptions {
  readonly repeats: number;
  /** The kernel's own where absent. */
  readonly tolerance?: number;
  /** The planner's where absent. */
  readonly method?: KernelMethod;
  readonly signal?: AbortSignal;
}

/** Adds and truncates as often as asked. The answers are the same bytes, so the last one stands for all. */
export async function measureSum(
  { out, in: columns, rank }: KernelCase,
  terms: readonly KernelTerm[],
  kernel: Kernel,
  { repeats, tolerance, method: asked, signal }: MeasureOptions,
): Promise<{ readonly figures: SumFigures; readonly answer: TruncatedSum }> {
  const rankSum = terms.reduce((sum, { a }) => sum + a.rows, 0);
  const request = {
    module: 'bench',
    out,
    in: columns,
    rank,
    rankSum,
    completionSeed: 1,
    ...(tolerance && { tolerance }),
    ...(asked && { method: asked }),
  };
  const wholes: number[] = [];
  const adds: number[] = [];
  let answer: TruncatedSum | null = null;
  for (let run = 0; run < repeats; run++) {
    const start = performance.now();
    const sum = kernel.beginSum(request);
    try {
      await sum.add(terms, signal);
      adds.push((performance.now() - start) / 1000);
      answer = await sum.truncate(signal);
    } finally {
      sum.release();
    }
    wholes.push((performance.now() - start) / 1000);
  }
  if (answer === null) throw new RangeError(`repeats is ${repeats}; allowed: a whole number from 1`);
  const { method, fallbackFrom, converged, blocks, operations, plan, excess, residual } = answer;
  const figures = {
    method,
    fallbackFrom,
    converged,
    blocks,
    operations,
    forecastSeconds: plan.seconds,
    seconds: spreadOf(wholes),
    addSeconds: spreadOf(adds),
    tolerance: answer.tolerance,
    estimatedExcess: excess,
    residual,
  };
  return { figures, answer };
}
