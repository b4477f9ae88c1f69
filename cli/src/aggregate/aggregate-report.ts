import type { AggregateOptions } from './aggregate-options.ts';

/** What was made, as `--json` prints it: documented in docs/reference/aggregate.md. */
export interface AggregateReport {
  readonly out: string;
  readonly rank: number;
  readonly alpha: number;
  readonly strategy: AggregateOptions['strategy'];
  readonly svd_split: AggregateOptions['svdSplit'];
  readonly kernel: string;
  readonly updates: number;
  readonly samples: number;
  /** Share of ‖W‖² over all modules that the result keeps, 0 to 1; 1 where W is zero. */
  readonly energy_kept: number;
  /** Σ ‖W‖² over the modules. */
  readonly energy_total: number;
  /** The largest of the modules' residuals. */
  readonly residual_max: number;
  readonly seconds: number;
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
  /** Share of ‖W‖² that the result keeps, 0 to 1; 1 where W is zero. */
  readonly energy_kept: number;
  /** Measured ‖(W − U Σ Vᵀ) G‖ / ‖W G‖ on random vectors G, before Σ is divided between B and A and these are rounded to f32. */
  readonly residual: number;
  readonly seconds: number;
}

/** 1 where there is nothing to keep. Rounding may put a kept energy a hair above the total. */
export function energyShare(kept: number, total: number): number {
  return total === 0 ? 1 : Math.min(1, kept / total);
}

export function reportTable(report: AggregateReport): string {
  const head = ['module', 'shape', 'rank', 'rank sum', 'method', 'energy kept', 'residual', 'seconds'];
  const rows = report.modules.map((module) => [
    module.name,
    `${module.out} × ${module.in}`,
    String(module.rank),
    String(module.rank_sum),
    module.method,
    percent(module.energy_kept),
    module.residual.toExponential(2),
    module.seconds.toFixed(3),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ');
  return [
    line(head),
    ...rows.map(line),
    '',
    `${report.updates} adapters, ${report.samples} samples, ${report.strategy}, ${report.kernel} kernel: rank ${report.rank} keeps ${percent(report.energy_kept)} of the energy`,
    `written to ${report.out} in ${report.seconds.toFixed(2)} s; peak memory ${Math.round(report.peak_memory_bytes / 2 ** 20)} MiB`,
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
