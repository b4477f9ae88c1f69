import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Sight } from '../checks/state-watch.ts';
import type { FaultKind } from '../faults/fault-plan.ts';
import type { SeedResult } from './run-seed.ts';

export interface Batch {
  readonly from: number;
  readonly count: number;
}

/** As it crosses from a worker thread. */
export interface SeedReport extends Omit<SeedResult, 'seen'> {
  readonly seen: readonly (readonly [Sight, number])[];
}

/** What many seeds showed together. */
export interface Summary {
  readonly seeds: number;
  readonly failed: readonly SeedReport[];
  /** In how many seeds each kind of fault struck. */
  readonly struck: ReadonlyMap<FaultKind, number>;
  /** In how many seeds each of these was seen. */
  readonly seen: ReadonlyMap<Sight, number>;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly steps: number;
  readonly acknowledged: number;
  readonly virtualMs: number;
}

export interface SeedsRequest {
  readonly from: number;
  readonly count: number;
  readonly workers?: number;
  readonly onResult?: (report: SeedReport) => void;
}

/** Dead processes of a world are kept in memory by what they waited for: a thread plays so many seeds and makes room for the next. */
const BATCH_SEEDS = 50;
/** A seed takes a fraction of a second, on a busy machine some seconds. */
const SILENT_MS_MAX = 120_000;
/** More would only share the same cores. */
const WORKERS_MAX = 2;

/** Plays seeds on worker threads; the order of results is nobody's, and each is that of its seed alone. */
export async function runSeeds(request: SeedsRequest): Promise<Summary> {
  const workers = request.workers ?? Math.min(WORKERS_MAX, availableParallelism());
  const batches: Batch[] = [];
  for (let at = 0; at < request.count; at += BATCH_SEEDS)
    batches.push({ from: request.from + at, count: Math.min(BATCH_SEEDS, request.count - at) });
  const reports: SeedReport[] = [];
  const hear = (report: SeedReport): void => {
    reports.push(report);
    request.onResult?.(report);
  };
  const work = async (): Promise<void> => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) await playBatch(batch, hear);
  };
  await Promise.all(Array.from({ length: workers }, work));
  return summaryOf(reports);
}

/** Rejects for a thread that ended by itself, and for one that is silent: a loop that no virtual time passes in is seen from outside alone. */
function playBatch({ from, count }: Batch, hear: (report: SeedReport) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { from, count } });
    let seed = from;
    const silent = setTimeout(() => {
      reject(new Error(`seed ${seed} has not ended after ${SILENT_MS_MAX / 1000} s: a loop in which no time passes`));
      void worker.terminate();
    }, SILENT_MS_MAX);
    worker.on('message', (report: SeedReport) => {
      seed = report.seed + 1;
      silent.refresh();
      hear(report);
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      clearTimeout(silent);
      if (code === 0) resolve();
      else reject(new Error(`the thread ended with code ${code} while it played seed ${seed}`));
    });
  });
}

function summaryOf(reports: readonly SeedReport[]): Summary {
  const struck = new Map<FaultKind, number>();
  const seen = new Map<Sight, number>();
  const outcomes = new Map<string, number>();
  const count = <Key>(map: Map<Key, number>, key: Key): void => void map.set(key, (map.get(key) ?? 0) + 1);
  for (const report of reports) {
    for (const kind of new Set(report.struck)) count(struck, kind);
    for (const [what] of report.seen) count(seen, what);
    count(outcomes, report.outcome);
  }
  const total = (of: (report: SeedReport) => number): number => reports.reduce((sum, report) => sum + of(report), 0);
  return {
    seeds: reports.length,
    failed: reports.filter(({ broken }) => broken.length > 0).sort((a, b) => a.seed - b.seed),
    struck,
    seen,
    outcomes,
    steps: total(({ steps }) => steps),
    acknowledged: total(({ acknowledged }) => acknowledged),
    virtualMs: total(({ virtualMs }) => virtualMs),
  };
}
