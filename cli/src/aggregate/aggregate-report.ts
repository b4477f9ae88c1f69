import type { TruncatedSum } from '@flexlora/kernel';
import type { AggregateOptions } from './aggregate-options.ts';
import type { CommonModule } from './common-modules.ts';

/** The sum of one module, of which the result itself was written. */
export type ModuleSum = CommonModule & Omit<TruncatedSum, 'u' | 'v' | 'singularValues'>;

/**
 * What the time goes into: reading headers and finding the order; waiting for factors that were not read while others were summed; looking
 * for NaN and infinity, summing and truncating; writing.
 */
export type AggregatePhase = 'check' | 'read' | 'sum' | 'write';

/** What was made, as `--json` prints it: documented in docs/reference/aggregate.md. */
export interface AggregateReport {
  readonly out: string;
  readonly rank: number;
  readonly alpha: number;
  readonly strategy: AggregateOptions['strategy'];
  readonly svd_split: AggregateOptions['svdSplit'];
  /** How much larger than the smallest possible the error of a module may be, as a ratio. */
  readonly tolerance: number;
  readonly kernel: string;
  readonly updates: number;
  readonly samples: number;
  /** Share of ‖W‖² over all modules that the result keeps, 0 to 1; 1 where W is zero. */
  readonly energy_kept: number;
  /** Σ ‖W‖² over the modules. */
  readonly energy_total: number;
  /** The largest of the modules' residuals. */
  readonly residual_max: number;
  /** The largest of the modules' excesses. */
  readonly excess_max: number;
  readonly seconds: number;
  /** Seconds by phase; what is left of `seconds` is configuration and waiting for the disk to take the files. */
  readonly phases: Readonly<Record<AggregatePhase, number>>;
  readonly peak_memory_bytes: number;
  readonly notices: readonly string[];
  readonly modules: readonly ModuleReport[];
}

export interface ModuleReport {
  readonly name: string;
  readonly out: number;
  readonly in: number;
  /** Of the result: `min(rank, out, in)`. */
  readonly rank: number;
  /** Σ of the terms' ranks. */
  readonly rank_sum: number;
  readonly method: string;
  /** The planned method, where it did not reach the tolerance and `method` took its place. */
  readonly fallback_from: string | null;
  /** Whether the planned method reached the tolerance. */
  readonly converged: boolean;
  /** Blocks of the iteration; 0 where the method has none. */
  readonly blocks: number;
  /** How much larger than the smallest possible the error is, minus 1, as estimated; 0 where the method is exact. */
  readonly excess: number;
  /** Share of ‖W‖² that the result keeps, 0 to 1; 1 where W is zero. */
  readonly energy_kept: number;
  /** ‖W‖². */
  readonly energy_total: number;
  /** The standard error of `energy_total`; 0 where it is known to rounding. */
  readonly energy_total_error: number;
  /** Measured ‖(W − U Σ Vᵀ) G‖ / ‖W G‖ on random vectors G, before Σ is divided between B and A and these are rounded to f32. */
  readonly residual: number;
  /** Upper bound of the bytes that the kernel held, by its plan. */
  readonly scratch_bytes: number;
  readonly seconds: number;
}

export interface Made {
  readonly kernel: string;
  readonly notices: readonly string[];
  readonly seconds: number;
  readonly phases: AggregateReport['phases'];
}

export function reportOf(sums: readonly ModuleSum[], options: AggregateOptions, made: Made): AggregateReport {
  const total = (of: (sum: ModuleSum) => number) => sums.reduce((all, sum) => all + of(sum), 0);
  const most = (of: (sum: ModuleSum) => number) => sums.reduce((largest, sum) => Math.max(largest, of(sum)), 0);
  const energyTotal = total((sum) => sum.energyTotal);
  return {
    out: options.out,
    rank: options.rank,
    alpha: options.alpha,
    strategy: options.strategy,
    svd_split: options.svdSplit,
    tolerance: options.tolerance,
    kernel: made.kernel,
    updates: options.updates.length,
    samples: options.updates.reduce((all, { samples }) => all + samples, 0),
    energy_kept: energyShare(
      total((sum) => sum.energyKept),
      energyTotal,
    ),
    energy_total: energyTotal,
    residual_max: most(({ residual }) => residual),
    excess_max: most(({ excess }) => excess),
    seconds: made.seconds,
    phases: made.phases,
    // Kibibytes on every platform.
    peak_memory_bytes: process.resourceUsage().maxRSS * 1024,
    notices: made.notices,
    modules: sums.map(moduleReport),
  };
}

const moduleReport = (sum: ModuleSum): ModuleReport => ({
  name: sum.name,
  out: sum.out,
  in: sum.in,
  rank: sum.rank,
  rank_sum: sum.rankSum,
  method: sum.method,
  fallback_from: sum.fallbackFrom,
  converged: sum.converged,
  blocks: sum.blocks,
  excess: sum.excess,
  energy_kept: energyShare(sum.energyKept, sum.energyTotal),
  energy_total: sum.energyTotal,
  energy_total_error: sum.energyTotalError,
  residual: sum.residual,
  scratch_bytes: sum.plan.scratchBytes,
  seconds: sum.seconds,
});

/** 1 where there is nothing to keep. Rounding may put a kept energy a hair above the total. */
export function energyShare(kept: number, total: number): number {
  return total === 0 ? 1 : Math.min(1, kept / total);
}

export function reportTable(report: AggregateReport): string {
  const head = ['module', 'shape', 'rank', 'rank sum', 'method', 'energy kept', 'residual', 'excess', 'seconds'];
  const rows = report.modules.map((module) => [
    module.name,
    `${module.out} × ${module.in}`,
    String(module.rank),
    String(module.rank_sum),
    module.fallback_from === null ? module.method : `${module.method} for ${module.fallback_from}`,
    percent(module.energy_kept),
    module.residual.toExponential(2),
    module.excess === 0 ? '0' : module.excess.toExponential(2),
    module.seconds.toFixed(3),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ');
  const phases = Object.entries(report.phases)
    .map(([phase, seconds]) => `${phase} ${seconds.toFixed(2)}`)
    .join(', ');
  return [
    line(head),
    ...rows.map(line),
    '',
    `${report.updates} adapters, ${report.samples} samples, ${report.strategy}, ${report.kernel} kernel: rank ${report.rank} keeps ${percent(report.energy_kept)} of the energy`,
    `written to ${report.out} in ${report.seconds.toFixed(2)} s (${phases}); peak memory ${Math.round(report.peak_memory_bytes / 2 ** 20)} MiB`,
    '',
  ].join('\n');
}

/** Sums of squares in f64 differ by about 1e-16 per term where the rank is enough: this is all. */
const ROUNDING = 1e-12;

/** Rounded down: what is not all must not read 100 %. */
export function percent(share: number): string {
  if (1 - share < ROUNDING) return '100.0000 %';
  return `${(Math.floor(share * 1e6) / 1e4).toFixed(4)} %`;
}
