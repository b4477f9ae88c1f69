import { KERNEL_METHODS, type Kernel, KernelError, type KernelMethod } from '@flexlora/kernel';
import { rankSumOf } from '../factors/client-mix.ts';
import { type KernelCase, nameOf, termsOf } from './kernel-case.ts';
import { type MeasureOptions, measureSum } from './measure-sum.ts';

/** What the planner's choice costs in one case. */
export interface RegretReport {
  readonly side: number;
  readonly rank: number;
  readonly rankSum: number;
  readonly spectrum: KernelCase['spectrum'];
  readonly planned: KernelMethod;
  /** Those that the kernel has and that apply. */
  readonly methods: readonly MethodSeconds[];
  /** Seconds of the planned method over those of the fastest: 1 where the planner was right. */
  readonly regret: number;
}

export interface MethodSeconds {
  readonly method: KernelMethod;
  /** Of the fastest run, so that company on the machine counts least. */
  readonly seconds: number;
  readonly forecastSeconds: number;
  readonly blocks: number;
  /** Whether it reached the tolerance by itself; where not, its seconds have those of the method that took its place. */
  readonly converged: boolean;
}

export interface RegretDeps {
  readonly kernel: Kernel;
  /** Told of every case before it is begun. */
  readonly onCase?: (name: string) => void;
}

/** A method that took so long in a case is not run there again. */
const SECONDS_MAX = 1;

export async function benchRegret(
  cases: readonly KernelCase[],
  options: Omit<MeasureOptions, 'method'>,
  { kernel, onCase }: RegretDeps,
): Promise<readonly RegretReport[]> {
  const reports: RegretReport[] = [];
  for (const each of cases) {
    onCase?.(`${nameOf(each)}, rank ${each.rank}`);
    reports.push(await regretOf(each, options, kernel));
  }
  return reports;
}

/** The methods take turns, so that whatever else the machine does falls on all of them. */
async function regretOf(
  kernelCase: KernelCase,
  { repeats, ...options }: Omit<MeasureOptions, 'method'>,
  kernel: Kernel,
): Promise<RegretReport> {
  const terms = termsOf(kernelCase);
  const planned = methodPlanned(kernel, kernelCase, null)!;
  const fastest = new Map<KernelMethod, MethodSeconds>();
  const spent = new Map<KernelMethod, number>();
  const able = KERNEL_METHODS.filter((method) => methodPlanned(kernel, kernelCase, method) !== null);
  for (let run = 0; run < repeats; run++) {
    for (const method of able) {
      const before = spent.get(method) ?? 0;
      if (before > SECONDS_MAX) continue;
      const { figures } = await measureSum(kernelCase, terms, kernel, { ...options, repeats: 1, method });
      const { forecastSeconds, blocks, converged } = figures;
      const seconds = figures.seconds.min;
      spent.set(method, before + seconds);
      if (seconds < (fastest.get(method)?.seconds ?? Number.POSITIVE_INFINITY))
        fastest.set(method, { method, seconds, forecastSeconds, blocks, converged });
    }
  }
  const { out, rank, mix, spectrum } = kernelCase;
  const methods = [...fastest.values()];
  const least = Math.min(...methods.map(({ seconds }) => seconds));
  const regret = fastest.get(planned)!.seconds / least;
  return { side: out, rank, rankSum: rankSumOf(mix), spectrum, planned, methods, regret };
}

/** The method of the plan, the planner's own for null; null where the kernel does not have it, or it does not apply. */
function methodPlanned(kernel: Kernel, kernelCase: KernelCase, method: KernelMethod | null): KernelMethod | null {
  const { out, in: columns, rank, mix } = kernelCase;
  const request = { module: 'bench', out, in: columns, rank, rankSum: rankSumOf(mix), completionSeed: 1 };
  try {
    const sum = kernel.beginSum({ ...request, ...(method !== null && { method }) });
    sum.release();
    return sum.plan.method;
  } catch (error) {
    if (method !== null && error instanceof KernelError && error.code === 'badMethod') return null;
    throw error;
  }
}
