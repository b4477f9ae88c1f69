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
  { title: 'of raw or direct', align: 'right' },
  { title: 'of stock', align: 'right' },
  { title: 'server CPU s/GB', align: 'right' },
  { title: 'of stock', align: 'right' },
  { title: 'server peak MiB', align: 'right' },
  { title: 'client CPU s/GB', align: 'right' },
  { title: 'client peak MiB', align: 'right' },
] as const;

export function transferTable({ machine, cases }: TransferReport): string {
  const rows = cases.flatMap((each) => {
    const [baseline] = each.ways;
    const stock = each.ways.find(({ way }) => way === 'stock');
    return each.ways.map((report) => [
      nameOf(each),
      report.way,
      threeDigits(report.bytesPerSecond / 1e6),
      ratio(report.bytesPerSecond, baseline?.bytesPerSecond),
      ratio(report.bytesPerSecond, stock?.bytesPerSecond),
      figure(report.serverCpuSecondsPerGigabyte),
      ratio(report.serverCpuSecondsPerGigabyte, stock?.serverCpuSecondsPerGigabyte),
      mebibytes(report.serverPeakBytes),
      figure(report.clientCpuSecondsPerGigabyte),
      mebibytes(report.clientPeakBytes),
    ]);
  });
  return `${machineLines(machine, 1, null)}\n\n${markdownTable([...COLUMNS], rows)}\n`;
}

const figure = (value: number | null): string => (value === null ? '' : threeDigits(value));
const mebibytes = (bytes: number | null): string => (bytes === null ? '' : `${Math.round(bytes / 2 ** 20)}`);
const ratio = (value: number | null, of: number | null | undefined): string =>
  value === null || of === null || of === undefined ? '' : `${threeDigits(value / of)} ×`;
