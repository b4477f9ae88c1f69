import type { MachineDescription } from '../machine/describe-machine.ts';
import { machineLines } from '../report/machine-lines.ts';
import { markdownTable, threeDigits } from '../report/markdown.ts';
import type { CaseReport } from './bench-transfer.ts';
import { nameOf } from './transfer-case.ts';

export interface TransferReport {
  readonly machine: MachineDescription;
  readonly repeats: number;
  readonly cases: readonly CaseReport[];
}

const COLUMNS = [
  { title: 'case', align: 'left' },
  { title: 'way', align: 'left' },
  { title: 'MB/s', align: 'right' },
  { title: 'of raw', align: 'right' },
  { title: 'of stock', align: 'right' },
  { title: 'server CPU s/GB', align: 'right' },
  { title: 'server peak MiB', align: 'right' },
] as const;

export function transferTable({ machine, cases }: TransferReport): string {
  const rows = cases.flatMap((each) => {
    const rate = (way: string): number => each.ways.find((report) => report.way === way)?.bytesPerSecond ?? Number.NaN;
    return each.ways.map((report) => [
      nameOf(each),
      report.way,
      threeDigits(report.bytesPerSecond / 1e6),
      `${threeDigits(report.bytesPerSecond / rate('raw'))} ×`,
      `${threeDigits(report.bytesPerSecond / rate('stock'))} ×`,
      threeDigits(report.serverCpuSecondsPerGigabyte),
      `${Math.round(report.serverPeakBytes / 2 ** 20)}`,
    ]);
  });
  return `${machineLines(machine, 1, null)}\n\n${markdownTable([...COLUMNS], rows)}\n`;
}
