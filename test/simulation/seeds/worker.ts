import { parentPort, workerData } from 'node:worker_threads';
import { runSeed } from './run-seed.ts';
import type { Batch, SeedReport } from './run-seeds.ts';

/** Plays a batch of seeds, one after the other, and tells each result. */
const { from, count } = workerData as Batch;
for (let seed = from; seed < from + count; seed += 1) {
  const result = await runSeed(seed);
  const report: SeedReport = { ...result, seen: [...result.seen] };
  parentPort?.postMessage(report);
}
