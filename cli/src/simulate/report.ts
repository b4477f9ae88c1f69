import type { Run } from '@flexlora/contracts/run/v1/run_service';
import { outcomeWord } from '../run/run-words.ts';
import { textTable } from '../run/text-table.ts';
import type { Audit } from './audit.ts';
import type { FleetTally } from './fleet-tally.ts';
import type { SimulateOptions } from './options.ts';
import type { RpcLatency } from './rpc-latency.ts';

/** How a platform did under a fleet of virtual agents; printed by `--json` as it is. */
export interface SimulationReport {
  readonly run_id: string;
  readonly agents: number;
  readonly cohort: number;
  readonly seed: number;
  readonly update_bytes: number;
  readonly speed: number;
  /** Null when it was left while it went on. */
  readonly outcome: string | null;
  readonly standing: string;
  /** From the first start of an agent until all had enrolled. */
  readonly enrol_seconds: number;
  /** Of all rounds. */
  readonly seconds: number;
  readonly rounds: readonly {
    readonly round: number;
    /** From the publication of the adapter before. */
    readonly seconds: number;
    readonly updates: number;
    readonly rank_counts: Readonly<Record<string, number>>;
  }[];
  readonly rounds_per_minute: number;
  readonly rpcs: readonly {
    readonly method: string;
    readonly kind: 'unary' | 'stream';
    readonly count: number;
    readonly p50_ms: number;
    readonly p99_ms: number;
    readonly refused: number;
    readonly unavailable: number;
    readonly cancelled: number;
    readonly held: number;
  }[];
  /** The largest p99 of the unary methods. */
  readonly unary_p99_ms_max: number;
  readonly services: readonly ServiceMemory[];
  readonly refused: Readonly<Record<string, number>>;
  readonly retried: Readonly<Record<string, number>>;
  readonly assignments: { readonly failed: number; readonly vanished: number; readonly killed: number };
  /** Null where the bucket was not named, so that nobody could look. */
  readonly updates: {
    readonly acknowledged: number;
    readonly lost: number;
    readonly counted_twice: number;
  } | null;
  /** This process itself: when it is late, so are the latencies that it measured. */
  readonly driver: { readonly event_loop_delay_p99_ms: number };
}

export interface ServiceMemory {
  readonly name: string;
  /** Null where the system does not tell. */
  readonly peak_memory_bytes: number | null;
}

export interface ReportParts {
  readonly options: SimulateOptions;
  readonly run: Run;
  readonly enrolSeconds: number;
  /** When the rounds were let begin, in milliseconds since 1970. */
  readonly begunAtMs: number;
  readonly rpcs: readonly RpcLatency[];
  readonly services: readonly ServiceMemory[];
  readonly tally: FleetTally;
  readonly audit: Audit | null;
  readonly eventLoopDelayP99Ms: number;
}

export function reportOf(parts: ReportParts): SimulationReport {
  const { options, run, tally, audit } = parts;
  let sinceMs = parts.begunAtMs;
  const rounds: SimulationReport['rounds'][number][] = [];
  for (const { round, updates, rankCounts, publishedAtMs } of run.published) {
    const seconds = rounded(Math.max(0, publishedAtMs - sinceMs) / 1_000);
    // The initial adapter may be there before the rounds were let begin.
    sinceMs = Math.max(sinceMs, publishedAtMs);
    if (round > 0) rounds.push({ round, seconds, updates, rank_counts: rankCounts });
  }
  const seconds = rounds.reduce((sum, round) => sum + round.seconds, 0);
  const unary = parts.rpcs.filter(({ kind }) => kind === 'unary');
  return {
    run_id: run.spec?.runId ?? '',
    agents: options.agents,
    cohort: options.cohort,
    seed: options.seed,
    update_bytes: options.updateBytes,
    speed: options.speed,
    outcome: outcomeWord(run.outcome),
    standing: run.standing,
    enrol_seconds: rounded(parts.enrolSeconds),
    seconds: rounded(seconds),
    rounds,
    rounds_per_minute: seconds > 0 ? rounded((60 * rounds.length) / seconds) : 0,
    rpcs: parts.rpcs.map(({ p50Ms, p99Ms, ...row }) => ({ ...row, p50_ms: rounded(p50Ms), p99_ms: rounded(p99Ms) })),
    unary_p99_ms_max: rounded(Math.max(0, ...unary.map(({ p99Ms }) => p99Ms))),
    services: parts.services,
    refused: { ...tally.refused },
    retried: { ...tally.retried },
    assignments: { failed: tally.failed, vanished: tally.vanished, killed: tally.killed },
    updates:
      audit === null
        ? null
        : { acknowledged: audit.acknowledged, lost: audit.lost.length, counted_twice: audit.countedTwice.length },
    driver: { event_loop_delay_p99_ms: rounded(parts.eventLoopDelayP99Ms) },
  };
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

/** Every update that was acknowledged is in its round once, and every round was published. */
export const isSound = ({ outcome, updates }: SimulationReport): boolean =>
  outcome === 'completed' && (updates === null || (updates.lost === 0 && updates.counted_twice === 0));

export function renderReport(report: SimulationReport): string {
  const { updates } = report;
  const verdict =
    updates === null
      ? 'updates were not checked: set S3_BUCKET and what belongs to it to the bucket of the platform'
      : `${updates.acknowledged} updates acknowledged, ${updates.lost} lost, ${updates.counted_twice} counted twice`;
  const counted = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none';
  return [
    '',
    `${report.outcome ?? 'not ended'}: ${report.standing}`,
    `${report.agents} agents enrolled in ${report.enrol_seconds} s; ${report.rounds.length} rounds in ${report.seconds} s, ${report.rounds_per_minute} a minute`,
    verdict,
    '',
    textTable(
      ['round', 'seconds', 'updates'],
      report.rounds.map(({ round, seconds, updates: taken }) => [round, seconds, taken]),
    ),
    textTable(
      ['call', 'count', 'p50 ms', 'p99 ms', 'refused', 'unavailable', 'held'],
      report.rpcs.map((row) => [
        row.kind === 'stream' ? `${row.method} (stream)` : row.method,
        row.count,
        row.p50_ms,
        row.p99_ms,
        row.refused,
        row.unavailable,
        row.held,
      ]),
    ),
    `refused: ${counted(report.refused)}`,
    `tried again: ${counted(report.retried)}`,
    `assignments that came to nothing: ${counted(report.assignments)}`,
    `peak memory: ${report.services.map(memoryText).join(', ') || 'not ours to see'}`,
    `this process was late by ${report.driver.event_loop_delay_p99_ms} ms (p99): that much of every latency is its own`,
    '',
  ].join('\n');
}

const memoryText = ({ name, peak_memory_bytes: bytes }: ServiceMemory): string =>
  `${name} ${bytes === null ? 'unknown' : `${Math.round(bytes / 2 ** 20)} MiB`}`;
