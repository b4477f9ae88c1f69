import { parentPort, workerData } from 'node:worker_threads';
import type { DriverNews, DriverOrder } from '../drivers.ts';
import { createFleetRecorder } from '../fleet-tally.ts';

/** A driver whose first part has a bug; the others run until they are told to stop. */
const { part, runId } = workerData as DriverOrder;
if (part === 0) {
  if (runId === 'exits') process.exit(3);
  throw new TypeError('a bug in agent 7');
}
parentPort?.once('message', () => {
  const news: DriverNews = { fleet: createFleetRecorder().news(), rpcs: [], eventLoopDelayP99Ms: 9, hasEnded: true };
  parentPort?.postMessage(news);
});
