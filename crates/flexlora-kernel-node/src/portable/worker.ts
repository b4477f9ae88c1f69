import { parentPort } from 'node:worker_threads';
import { KernelError, type KernelTerm, type SumRequest } from '../kernel.ts';
import type { Outcome } from '../outcome.ts';
import { addTerms, buffersOf, type SumState, truncateSum } from './sum.ts';

/** One call on one sum, and where the sum stands. */
export interface WorkerCall {
  readonly request: SumRequest;
  /** null before the first terms. */
  readonly state: SumState | null;
  /** Terms to add, or null to truncate. */
  readonly terms: readonly KernelTerm[] | null;
}

export interface WorkerReply extends Outcome {
  /** Where the sum stands now; null where it ended, and before the first terms. */
  readonly state: SumState | null;
}

/** The worker thread of the portable kernel: one call in, one reply out, and nothing kept. */
parentPort?.on('message', (call: WorkerCall) => {
  const reply = replyTo(call);
  const arrays = reply.answer === null ? [] : [reply.answer.u.buffer, reply.answer.v.buffer];
  const moved = reply.state === null ? [] : buffersOf(reply.state);
  parentPort?.postMessage(reply, [...(arrays as ArrayBuffer[]), ...moved]);
});

function replyTo({ request, state, terms }: WorkerCall): WorkerReply {
  try {
    if (terms === null) return { answer: truncateSum(request, state), refusal: null, state: null };
    return { answer: null, refusal: null, state: addTerms(request, state, terms) };
  } catch (error) {
    if (error instanceof KernelError)
      return { answer: null, refusal: { code: error.code, message: error.message }, state: null };
    const message = `module ${JSON.stringify(request.module)}: a fault in the kernel: ${String(error)}: report this input`;
    return { answer: null, refusal: { code: 'internal', message }, state: null };
  }
}
