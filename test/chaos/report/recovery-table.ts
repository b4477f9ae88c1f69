import { chargeFaults, lastBefore } from '../checks/charge-faults.ts';
import { checkRun } from '../checks/check-run.ts';
import { takeoverMs } from '../checks/check-takeover.ts';
import type { Action } from '../plan/fault-catalogue.ts';
import type { RunAccount } from '../run-under-faults.ts';

/** What `--json` prints. */
export interface ChaosReport {
  readonly seed: number;
  readonly rounds: number;
  readonly faults: readonly RecoveryRow[];
  readonly updatesAcknowledged: number;
  readonly updatesLost: number;
  readonly updatesCountedTwice: number;
  readonly adapterDigest: { readonly undisturbed: string | null; readonly disturbed: string | null };
  readonly takeoverMsMax: number | null;
  readonly seconds: { readonly undisturbed: number; readonly disturbed: number };
  /** Empty when everything held. */
  readonly failures: readonly string[];
}

/** One fault and how the platform came out of it. */
export interface RecoveryRow {
  readonly number: number;
  readonly hit: string;
  readonly action: Action;
  readonly when: string;
  readonly round: number;
  /** How long the harness kept it away. */
  readonly awayMs: number;
  /** From the fault until every process was ready again; null when that did not come in time. */
  readonly recoveredMs: number | null;
  /** From the fault until another lease was granted, where it took the run from its holder. */
  readonly takeoverMs: number | null;
  readonly bytesResent: number;
  /** Trainings that were begun again. */
  readonly trainedAgain: number;
  readonly updatesLost: number;
  readonly updatesCountedTwice: number;
}

export function reportOf(
  disturbed: RunAccount,
  calm: RunAccount,
  options: { readonly seed: number; readonly rounds: number },
): ChaosReport {
  const { miscounts, failures } = checkRun(disturbed, calm);
  const charges = chargeFaults(disturbed, calm);
  const publishedAtMs = (round: number): number =>
    Math.max(0, ...disturbed.acknowledgements.filter((told) => told.round === round).map(({ atMs }) => atMs));
  const miscounted = (number: number, what: 'lost' | 'countedTwice'): number =>
    miscounts.filter(
      (each) =>
        each.what === what && lastBefore(disturbed.faults, publishedAtMs(each.round))?.planned.number === number,
    ).length;
  const rows = disturbed.faults.map((fault): RecoveryRow => {
    const { planned, hit, when, round, atMs, healedAtMs, wholeAtMs } = fault;
    const { number, action } = planned;
    return {
      number,
      hit,
      action,
      when,
      round,
      awayMs: healedAtMs - atMs,
      recoveredMs: wholeAtMs === null ? null : wholeAtMs - atMs,
      takeoverMs: finite(takeoverMs(fault, disturbed.faults, disturbed.leases)),
      bytesResent: charges.get(number)?.bytesResent ?? 0,
      trainedAgain: charges.get(number)?.trainedAgain ?? 0,
      updatesLost: miscounted(number, 'lost'),
      updatesCountedTwice: miscounted(number, 'countedTwice'),
    };
  });
  const takeovers = rows.flatMap((row) => (row.takeoverMs === null ? [] : [row.takeoverMs]));
  return {
    ...options,
    faults: rows,
    updatesAcknowledged: new Set(disturbed.acknowledgements.map(({ agentId, round }) => `${agentId} ${round}`)).size,
    updatesLost: miscounts.filter(({ what }) => what === 'lost').length,
    updatesCountedTwice: miscounts.filter(({ what }) => what === 'countedTwice').length,
    adapterDigest: {
      undisturbed: calm.published.at(-1)?.adapterDigest ?? null,
      disturbed: disturbed.published.at(-1)?.adapterDigest ?? null,
    },
    takeoverMsMax: takeovers.length === 0 ? null : Math.max(...takeovers),
    seconds: { undisturbed: calm.seconds, disturbed: disturbed.seconds },
    failures,
  };
}

const finite = (ms: number | null): number | null => (ms === null || Number.isFinite(ms) ? ms : null);

const HEAD = [
  'what was hit',
  'when',
  'away',
  'time to recover',
  'takeover',
  'sent again',
  'trained again',
  'lost',
  'counted twice',
];

/** The table of a report in Markdown. */
export function recoveryTable({ faults }: ChaosReport): string {
  const lines = faults.map((row) => [
    row.hit,
    `round ${row.round}, ${row.when}`,
    seconds(row.awayMs),
    row.recoveredMs === null ? 'not in time' : seconds(row.recoveredMs),
    row.takeoverMs === null ? '–' : seconds(row.takeoverMs),
    row.bytesResent === 0 ? '0' : `${(row.bytesResent / 2 ** 20).toFixed(1)} MiB`,
    String(row.trainedAgain),
    String(row.updatesLost),
    String(row.updatesCountedTwice),
  ]);
  const rowOf = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [rowOf(HEAD), rowOf(HEAD.map(() => '---')), ...lines.map(rowOf)].join('\n');
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** What the table adds up to, in sentences. */
export function summaryOf(report: ChaosReport): string {
  const { undisturbed, disturbed } = report.adapterDigest;
  const same = undisturbed !== null && undisturbed === disturbed;
  return [
    `${report.faults.length} faults in ${report.rounds} rounds, seed ${report.seed}: ${report.updatesAcknowledged} updates acknowledged, ${report.updatesLost} lost, ${report.updatesCountedTwice} counted twice.`,
    `The last adapter is ${same ? 'that' : 'NOT that'} of the undisturbed run (${disturbed ?? 'none'}${same ? '' : `; undisturbed ${undisturbed ?? 'none'}`}).`,
    report.takeoverMsMax === null
      ? 'No fault that could be judged took the run from its holder.'
      : `The longest takeover took ${seconds(report.takeoverMsMax)}.`,
  ].join('\n');
}
