import { machineLines } from '../report/machine-lines.ts';
import { type Column, gibibytes, markdownTable, orDash, percentOf, threeDigits } from '../report/markdown.ts';
import type { LayerReport } from './bench-layer.ts';
import type { ModuleFigures } from './module-worker.ts';

/** The report as Markdown. docs/benchmarks.md says what the figures mean. */
export function layerTable(report: LayerReport): string {
  const { machine, threads, peak, clients, rankSum, factorBytes, makeSeconds } = report;
  const parts = [
    `${clients.toLocaleString('en-US')} adapters, ranks summing to ${rankSum.toLocaleString('en-US')}, bfloat16 factors of ${gibibytes(factorBytes)} (made in ${threeDigits(makeSeconds)} s).`,
    machineLines(machine, threads, peak),
    aggregateLines(report),
    moduleTable(report),
    workerTable(report),
    variantTable(report),
    referenceLines(report),
  ];
  return `${parts.filter((part) => part !== null).join('\n\n')}\n`;
}

function aggregateLines({ aggregate, rank }: LayerReport): string | null {
  if (aggregate === null) return null;
  const { seconds, peakBytes, report } = aggregate;
  const phases = Object.entries(report.phases).map(([phase, spent]) => `${phase} ${threeDigits(spent)} s`);
  return `\`flexlora aggregate\` to rank ${rank}: **${threeDigits(seconds)} s** (${phases.join(', ')}), at most **${threeDigits(peakBytes / 2 ** 20)} MiB** resident, estimated excess at most ${report.excess_max.toExponential(1)}.`;
}

const column = (title: string, align: Column['align'] = 'right'): Column => ({ title, align });

function moduleTable({ modules, peak }: LayerReport): string | null {
  if (modules === null) return null;
  const columns = [
    column('module', 'left'),
    column('method', 'left'),
    column('Σ rank'),
    column('adding: seconds'),
    column('of peak'),
    column('truncating: seconds'),
    column('both: operations'),
    column('of peak'),
  ];
  const share = (operations: number | null, seconds: number) =>
    operations === null || peak === null ? '–' : percentOf(operations / seconds / peak.operationsPerSecond);
  const rows = modules.map((each: ModuleFigures) => [
    each.name,
    each.method,
    each.rankSum.toLocaleString('en-US'),
    threeDigits(each.addSeconds),
    share(formingOperations(each), each.addSeconds),
    threeDigits(Math.max(0, each.seconds - each.addSeconds)),
    each.operations.toExponential(2),
    share(each.operations, each.seconds),
  ]);
  return markdownTable(columns, rows);
}

/** Of adding up W; null for a method that does not form it while terms come in. */
function formingOperations({ method, out, in: columns, rankSum }: ModuleFigures): number | null {
  switch (method) {
    case 'accumulated':
    case 'dense':
      return 2 * out * columns * rankSum;
    case 'stacked':
    case 'factored':
      return null;
  }
}

function workerTable({ extrapolation, reference }: LayerReport): string | null {
  if (extrapolation === null) return null;
  const columns = [column('workers'), column('seconds'), column('the reference on as many')];
  const rows = extrapolation.byWorkers.map(({ workers, seconds }) => [
    `${workers}`,
    threeDigits(seconds),
    orDash(reference, (its) => threeDigits((its.seconds * extrapolation.layers) / workers)),
  ]);
  return `Extrapolated to ${extrapolation.layers} layers, not measured:\n\n${markdownTable(columns, rows)}`;
}

function variantTable({ bytes }: LayerReport): string | null {
  if (bytes === null) return null;
  const columns = [column(`${bytes.clients} clients`, 'left'), column('seconds'), column('same bytes')];
  const rows = bytes.variants.map(({ name, seconds, isSame }) => [
    name,
    threeDigits(seconds),
    isSame ? 'yes' : '**no**',
  ]);
  return markdownTable(columns, rows);
}

function referenceLines({ reference, aggregate, clients }: LayerReport): string | null {
  if (reference === null) return null;
  const pieces = reference.pieces.map(
    (each) =>
      `${each.out} × ${each.in}: ${threeDigits(each.formSeconds)} s for ${each.clients} clients, SVD ${threeDigits(each.svdSeconds)} s`,
  );
  const ratio = aggregate === null ? '' : `, ${threeDigits(reference.seconds / aggregate.seconds)} times as long`;
  return `Reference (${reference.name}), extrapolated to ${clients.toLocaleString('en-US')} clients from pieces measured in this run: ${threeDigits(reference.seconds)} s a layer${ratio}. ${pieces.join('; ')}.`;
}
