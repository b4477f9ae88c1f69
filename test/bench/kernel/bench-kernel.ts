import type { Kernel } from '@flexlora/kernel';
import { rankSumOf } from '../factors/client-mix.ts';
import type { MachineDescription } from '../machine/describe-machine.ts';
import type { MachinePeak } from '../machine/machine-peak.ts';
import { type KernelCase, nameOf, termsOf } from './kernel-case.ts';
import { type MeasureOptions, measureSum, type SumFigures } from './measure-sum.ts';
import { type Reference, type ReferenceFigures, referenceSeconds, worstExcess } from './reference.ts';

/** All figures of a run, as they are written to `kernel.json`. */
export interface KernelReport {
  readonly machine: MachineDescription;
  readonly kernel: Kernel['name'];
  readonly threads: number;
  /** null where nothing measures it. */
  readonly peak: MachinePeak | null;
  /** null where there was none. */
  readonly reference: string | null;
  readonly cases: readonly CaseReport[];
}

export interface CaseReport extends SumFigures {
  readonly out: number;
  readonly in: number;
  readonly mix: string;
  readonly clients: number;
  readonly rankSum: number;
  readonly spectrum: KernelCase['spectrum'];
  readonly rank: number;
  /** `operations / seconds / peak`; null without a peak. */
  readonly peakShare: number | null;
  readonly reference: ReferenceFigures | null;
  /** The fastest run of the reference over the kernel's median. */
  readonly speedup: number | null;
  /** Against the reference's W, the worst of all prefixes; null without a reference, and where W has no more components than were kept. */
  readonly excess: number | null;
}

export interface BenchDeps {
  readonly kernel: Kernel;
  readonly peak: MachinePeak | null;
  readonly reference: Reference | null;
  /** Told of every case before it is begun. */
  readonly onCase?: (name: string) => void;
}

export async function benchKernel(
  cases: readonly KernelCase[],
  options: MeasureOptions,
  deps: BenchDeps,
): Promise<readonly CaseReport[]> {
  const reports: CaseReport[] = [];
  for (const each of cases) {
    deps.onCase?.(nameOf(each));
    reports.push(await benchCase(each, options, deps));
  }
  return reports;
}

async function benchCase(
  kernelCase: KernelCase,
  options: MeasureOptions,
  { kernel, peak, reference }: BenchDeps,
): Promise<CaseReport> {
  const terms = termsOf(kernelCase);
  const { figures, answer } = await measureSum(kernelCase, terms, kernel, options);
  const measured = reference === null ? null : await reference.measure({ kernelCase, terms, answer }, options.repeats);
  const { median } = figures.seconds;
  return {
    out: kernelCase.out,
    in: kernelCase.in,
    mix: kernelCase.mix.name,
    clients: kernelCase.mix.clients,
    rankSum: rankSumOf(kernelCase.mix),
    spectrum: kernelCase.spectrum,
    rank: kernelCase.rank,
    ...figures,
    peakShare: peak === null ? null : figures.operations / median / peak.operationsPerSecond,
    reference: measured,
    speedup: measured === null ? null : referenceSeconds(measured) / median,
    excess: measured === null ? null : worstExcess(measured.errors),
  };
}
