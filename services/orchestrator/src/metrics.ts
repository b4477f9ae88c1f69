import type { RoundEffect, RoundEvent, WaitingCode } from '@flexlora/core';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the orchestrator tells Prometheus. Labels are of closed sets: never a run, an agent or a round. */
export interface OrchestratorMetrics {
  folded(kind: RoundEvent['kind'], answer: 'done' | 'refused'): void;
  committed(result: 'committed' | 'fenced', seconds: number): void;
  sessionFailed(): void;
  leasesHeld(count: number): void;
  performed(kind: RoundEffect['kind'], result: 'done' | 'retried'): void;
  replied(kind: RoundEvent['kind'], seconds: number): void;
  inboxFull(): void;
  transferStreams(direction: TransferDirection, change: 1 | -1): void;
  transferred(direction: TransferDirection, bytes: number): void;
  updateVerified(result: 'valid' | 'refused', seconds: number): void;
  /** Asked whenever Prometheus asks: what each run of this process waits for, and how long already. */
  readWaits(read: () => readonly { readonly code: WaitingCode; readonly seconds: number }[]): void;
}

export type TransferDirection = 'upload' | 'download';

/** But for `none`: a run that has ended waits for nothing. */
const WAITING_CODES = [
  'agents',
  'updates',
  'aggregators',
  'tasks',
  'heldTask',
  'objectStore',
  'resume',
] as const satisfies readonly WaitingCode[];

/** A fold and its commit take milliseconds; a commit of a large cohort or a slow store takes longer. */
const COMMIT_SECONDS_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10];
/** From one commit to a lease time and more. */
const REPLY_SECONDS_BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30];
/** Re-reading 10 MB to 10 GB. */
const VERIFY_SECONDS_BUCKETS = [0.05, 0.25, 1, 5, 25, 120];

export function createOrchestratorMetrics(registry: Registry): OrchestratorMetrics {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    buckets: number[],
  ): Histogram<Label> => new Histogram({ name, help, labelNames: [...labelNames], buckets, registers });

  const events = counter('flexlora_run_events_total', 'Events folded into runs, by kind and answer.', [
    'kind',
    'answer',
  ]);
  const commits = histogram(
    'flexlora_run_commit_seconds',
    'Time of one commit of folded events.',
    ['result'],
    COMMIT_SECONDS_BUCKETS,
  );
  const failures = counter('flexlora_run_session_failures_total', 'Times a run was given up and taken up again.', []);
  const leases = new Gauge({ name: 'flexlora_run_leases_held', help: 'Runs that this process folds.', registers });
  const effects = counter('flexlora_run_effects_total', 'Effects performed, by kind and result.', ['kind', 'result']);
  const replies = histogram(
    'flexlora_run_reply_seconds',
    'Time from offering an event to its reply.',
    ['kind'],
    REPLY_SECONDS_BUCKETS,
  );
  const full = counter('flexlora_run_inbox_full_total', 'Events turned away because an inbox was full.', []);
  const streams = new Gauge({
    name: 'flexlora_transfer_streams',
    help: 'Transfers under way.',
    labelNames: ['direction'],
    registers,
  });
  const bytes = counter('flexlora_transfer_bytes_total', 'Bytes of updates and adapters that passed.', ['direction']);
  const verified = histogram(
    'flexlora_update_verify_seconds',
    'Time to verify an update that came over several streams; one that came whole is verified as it passes.',
    ['result'],
    VERIFY_SECONDS_BUCKETS,
  );
  let readWaits: Parameters<OrchestratorMetrics['readWaits']>[0] = () => [];
  const waitGauge = (name: string, help: string, figureOf: (seconds: readonly number[]) => number): Gauge<'for'> =>
    new Gauge({
      name,
      help,
      labelNames: ['for'],
      registers,
      collect() {
        const waits = readWaits();
        for (const code of WAITING_CODES) {
          const seconds = waits.filter((wait) => wait.code === code).map((wait) => wait.seconds);
          this.set({ for: code }, figureOf(seconds));
        }
      },
    });
  waitGauge('flexlora_runs_waiting', 'Runs that this process folds, by what they wait for.', ({ length }) => length);
  waitGauge('flexlora_run_wait_seconds_max', 'The longest that one of them waits for it already.', (seconds) =>
    Math.max(0, ...seconds),
  );

  return {
    folded: (kind, answer) => events.inc({ kind, answer }),
    committed: (result, seconds) => commits.observe({ result }, seconds),
    sessionFailed: () => failures.inc(),
    leasesHeld: (count) => leases.set(count),
    performed: (kind, result) => effects.inc({ kind, result }),
    replied: (kind, seconds) => replies.observe({ kind }, seconds),
    inboxFull: () => full.inc(),
    transferStreams: (direction, change) => streams.inc({ direction }, change),
    transferred: (direction, count) => bytes.inc({ direction }, count),
    updateVerified: (result, seconds) => verified.observe({ result }, seconds),
    readWaits: (read) => {
      readWaits = read;
    },
  };
}
