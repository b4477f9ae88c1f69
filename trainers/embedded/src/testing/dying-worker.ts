import { parentPort } from 'node:worker_threads';
import type { JobMessage, WorkerMessage } from '../worker-pool.ts';

/** A thread that dies of every `train` and answers everything else. */
parentPort!.on('message', ({ job, kind }: JobMessage) => {
  if (kind === 'train') process.exit(7);
  const done: WorkerMessage = { kind: 'done', result: job };
  parentPort!.postMessage(done);
});
