import { KERNEL_METHODS, type KernelMethod } from '@flexlora/kernel';
import { type Column, markdownTable, orDash, threeDigits } from '../report/markdown.ts';
import type { RegretReport } from './bench-regret.ts';

/** Milliseconds of every method, and what the planner's choice costs. docs/benchmarks.md says what the columns mean. */
export function regretTable(reports: readonly RegretReport[]): string {
  const methods = KERNEL_METHODS.filter((name) => reports.some((each) => each.methods.some((m) => m.method === name)));
  const right = (title: string): Column => ({ title, align: 'right' });
  const columns: readonly Column[] = [
    right('side'),
    { title: 'spectrum', align: 'left' },
    right('rank'),
    right('Σ rank'),
    ...methods.map((method) => right(`${method}: ms (forecast)`)),
    { title: 'planned', align: 'left' },
    right('regret'),
  ];
  return markdownTable(
    columns,
    reports.map((report) => cellsOf(report, methods)),
  );
}

/** A star where another method had to take its place. */
function cellsOf(report: RegretReport, methods: readonly KernelMethod[]): readonly string[] {
  const { side, spectrum, rank, rankSum, planned, regret } = report;
  const cell = (method: KernelMethod) =>
    orDash(
      report.methods.find((each) => each.method === method) ?? null,
      ({ seconds, forecastSeconds, converged }) =>
        `${threeDigits(seconds * 1000)}${converged ? '' : '*'} (${threeDigits(forecastSeconds * 1000)})`,
    );
  return [`${side}`, spectrum, `${rank}`, `${rankSum}`, ...methods.map(cell), planned, regret.toFixed(2)];
}
