import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ModuleFigures, ModuleJob } from './module-worker.ts';

const WORKER = fileURLToPath(new URL('module-worker.ts', import.meta.url));

export interface WorkersFigures {
  readonly workers: number;
  /** From the start of the first process to the end of the last. */
  readonly seconds: number;
  /** In the order of the job's modules. */
  readonly modules: readonly ModuleFigures[];
}

/**
 * Sums the modules of one job in several processes at a time, as aggregators share the tasks of a round: module i goes to worker i mod n, and none
 * knows of another.
 */
export async function sumInWorkers(job: ModuleJob, workers: number, signal: AbortSignal): Promise<WorkersFigures> {
  const started = performance.now();
  const parts = await Promise.all(
    Array.from({ length: workers }, (_, worker) => {
      const modules = job.modules.filter((_, index) => index % workers === worker);
      return oneWorker({ ...job, modules }, signal);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const byName = new Map(parts.flat().map((figures) => [figures.name, figures]));
  return { workers, seconds, modules: job.modules.map(({ name }) => byName.get(name)!) };
}

async function oneWorker(job: ModuleJob, signal: AbortSignal): Promise<readonly ModuleFigures[]> {
  const child = fork(WORKER, { signal });
  let answer: readonly ModuleFigures[] | null = null;
  child.once('message', (figures: readonly ModuleFigures[]) => {
    answer = figures;
  });
  const ended = once(child, 'exit');
  child.send(job);
  const [code] = await ended;
  if (answer === null) throw new Error(`a worker ended with code ${code} and no answer: what it said stands above`);
  return answer;
}
