import { machineLines } from '../report/machine-lines.ts';
import { type Column, markdownTable, orDash, percentOf, threeDigits } from '../report/markdown.ts';
import type { CaseReport, KernelReport } from './bench-kernel.ts';

const COLUMNS: readonly Column[] = [
  { title: 'W', align: 'right' },
  { title: 'spectrum', align: 'left' },
  { title: 'clients', align: 'right' },
  { title: 'Σ rank', align: 'right' },
  { title: 'method', align: 'left' },
  { title: 'blocks', align: 'right' },
  { title: 'seconds (min–max)', align: 'right' },
  { title: 'forecast', align: 'right' },
  { title: 'of peak', align: 'right' },
  { title: 'excess', align: 'right' },
  { title: 'reference: form + SVD', align: 'right' },
  { title: 'ratio', align: 'right' },
];

/** The report as Markdown: what it was measured on, and one line a case. docs/benchmarks.md says what the columns mean. */
export function kernelTable(report: KernelReport): string {
  const { machine, threads, peak, kernel, reference, cases } = report;
  return [
    `${kernel} kernel, the first ${[...new Set(cases.map(({ rank }) => rank))].join(', ')} components. Reference: ${reference ?? 'none'}.`,
    machineLines(machine, threads, peak),
    '',
    markdownTable(COLUMNS, cases.map(cellsOf)),
    '',
  ].join('\n');
}

function cellsOf(each: CaseReport): readonly string[] {
  const { median, min, max } = each.seconds;
  const method = each.fallbackFrom === null ? each.method : `${each.method} (after ${each.fallbackFrom})`;
  return [
    `${each.out} × ${each.in}`,
    each.spectrum,
    threeDigits(each.clients),
    each.rankSum.toLocaleString('en-US'),
    method,
    `${each.blocks}`,
    `${threeDigits(median)} (${threeDigits(min)}–${threeDigits(max)})`,
    threeDigits(each.forecastSeconds),
    orDash(each.peakShare, percentOf),
    orDash(each.excess, (excess) => excess.toExponential(1)),
    orDash(
      each.reference,
      ({ formSeconds, svdSeconds }) => `${threeDigits(formSeconds.min)} + ${threeDigits(svdSeconds.min)}`,
    ),
    orDash(each.speedup, (ratio) => `${threeDigits(ratio)} ×`),
  ];
}
