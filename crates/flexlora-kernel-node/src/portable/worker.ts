import { parentPort } from 'node:worker_threads';
import { KernelError, type TruncateRequest } from '../kernel.ts';
import type { Outcome } from '../outcome.ts';
import { truncate } from './truncate.ts';

/** The worker thread of the portable kernel: one request in, one outcome out. */
parentPort?.on('message', (request: TruncateRequest) => {
  const outcome = outcomeOf(request);
  const buffers = outcome.answer === null ? [] : [outcome.answer.u.buffer, outcome.answer.v.buffer];
  parentPort?.postMessage(outcome, buffers as ArrayBuffer[]);
});

function outcomeOf(request: TruncateRequest): Outcome {
  try {
    return { answer: truncate(request), refusal: null };
  } catch (error) {
    if (error instanceof KernelError) return { answer: null, refusal: { code: error.code, message: error.message } };
    const message = `module ${JSON.stringify(request.module)}: a fault in the kernel: ${String(error)}: report this input`;
    return { answer: null, refusal: { code: 'internal', message } };
  }
}
