import { parentPort } from 'node:worker_threads';
import { KernelError, type KernelTerm } from '../kernel.ts';
import type { Outcome } from '../outcome.ts';
import { createHeap, type Heap } from './heap.ts';
import { addTerms, buffersOf, type SumJob, type SumState, truncateSum } from './sum.ts';

/** One call on one sum, and where the sum stands. */
export interface WorkerCall {
  readonly job: SumJob;
  /** null before the first terms. */
  readonly state: SumState | null;
  /** Terms to add, or null to truncate. */
  readonly terms: readonly KernelTerm[] | null;
}

export interface WorkerReply extends Outcome {
  /** Where the sum stands now; null where it ended, and before the first terms. */
  readonly state: SumState | null;
}

/** A heap above this is not kept for the next call: it would stay as large as the largest module that came by. */
const HEAP_KEPT_BYTES_MAX = 256 << 20;

let heap: Heap | null = null;

function lendHeap(): Heap {
  heap ??= createHeap();
  return heap;
}

/** The worker thread of the portable kernel: one call in, one reply out, and nothing of a sum kept. */
parentPort?.on('message', (call: WorkerCall) => {
  const reply = replyTo(call);
  const arrays = reply.answer === null ? [] : [reply.answer.u.buffer, reply.answer.v.buffer];
  const moved = reply.state === null ? [] : buffersOf(reply.state);
  parentPort?.postMessage(reply, [...(arrays as ArrayBuffer[]), ...moved]);
  if (heap !== null && heap.heldBytes > HEAP_KEPT_BYTES_MAX) heap = null;
});

function replyTo({ job, state, terms }: WorkerCall): WorkerReply {
  try {
    if (terms === null) return { answer: truncateSum(job, state, lendHeap), refusal: null, state: null };
    return { answer: null, refusal: null, state: addTerms(job, state, terms, lendHeap) };
  } catch (error) {
    if (error instanceof KernelError)
      return { answer: null, refusal: { code: error.code, message: error.message }, state: null };
    const message = `module ${JSON.stringify(job.request.module)}: a fault in the kernel: ${String(error)}: report this input`;
    return { answer: null, refusal: { code: 'internal', message }, state: null };
  }
}
