import { Worker } from 'node:worker_threads';
import { checkWhole } from './check-whole.ts';
import {
  type Factor,
  type Kernel,
  KernelError,
  type KernelSum,
  type KernelTerm,
  MEMORY_BYTES,
  type SumRequest,
} from './kernel.ts';
import { createKernelSum, truncateAtOnce } from './kernel-sum.ts';
import { answerOf, cancelled, checkOutcome } from './outcome.ts';
import { checkSizes } from './portable/check-request.ts';
import { buffersOf, type SumJob, type SumState } from './portable/sum.ts';
import type { WorkerCall, WorkerReply } from './portable/worker.ts';

interface Job {
  readonly call: WorkerCall;
  readonly settle: (result: WorkerReply | Error) => void;
}

export interface PortableKernelOptions {
  /** That one sum may hold at most; `MEMORY_BYTES` where absent. It takes part in the choice of the method: another value may give other last bits. */
  readonly memoryBytes?: number;
}

/**
 * The kernel in TypeScript and WebAssembly, for machines without the native addon: the same answers, slower. It has the methods `stacked`,
 * `accumulated` and `dense`; only `accumulated` needs WebAssembly. One worker thread does one call
 * after the other; it keeps the process alive only while there is work. Between its calls a sum lies here, so an abort of the running call
 * may end the thread. Factors are copied for their way to the thread.
 *
 * @throws {RangeError} for bytes that are no whole number from 1.
 */
export function createPortableKernel({ memoryBytes = MEMORY_BYTES }: PortableKernelOptions = {}): Kernel {
  checkWhole('memoryBytes', memoryBytes);
  const queue: Job[] = [];
  let running: { readonly job: Job; readonly worker: Worker } | null = null;
  let idle: Worker | null = null;

  const finish = (worker: Worker, result: WorkerReply | Error, next: Worker | null): void => {
    if (running?.worker !== worker) {
      if (idle === worker) idle = next;
      return;
    }
    const { job } = running;
    running = null;
    idle = next;
    idle?.unref();
    job.settle(result);
    startNext();
  };

  const startWorker = (): Worker => {
    const worker = new Worker(workerFile());
    worker.on('message', (reply: WorkerReply) => finish(worker, reply, worker));
    worker.on('error', (cause) => finish(worker, fault('the worker thread failed', cause), null));
    worker.on('exit', (code) => finish(worker, fault(`the worker thread ended with code ${code}`), null));
    return worker;
  };

  const startNext = (): void => {
    if (running !== null) return;
    const job = queue.shift();
    if (job === undefined) return;
    try {
      const terms = job.call.terms === null ? null : job.call.terms.map(copyTerm);
      const state = job.call.state === null ? [] : buffersOf(job.call.state);
      const worker = idle ?? startWorker();
      idle = null;
      running = { job, worker };
      worker.ref();
      worker.postMessage({ ...job.call, terms }, [...state, ...(terms ?? []).flatMap(buffersOfTerm)]);
    } catch (cause) {
      running = null;
      job.settle(fault('the call could not be handed to the worker thread', cause));
      startNext();
    }
  };

  const withdraw = (job: Job): void => {
    const at = queue.indexOf(job);
    if (at >= 0) queue.splice(at, 1);
    if (running?.job === job) {
      const { worker } = running;
      running = null;
      void worker.terminate();
    }
    job.settle(cancelled(job.call.job.request.module));
    startNext();
  };

  const run = (call: WorkerCall, signal: AbortSignal): Promise<WorkerReply> =>
    new Promise((resolve, reject) => {
      const onAbort = (): void => withdraw(job);
      const job: Job = {
        call,
        settle: (result) => {
          signal.removeEventListener('abort', onAbort);
          if (result instanceof Error) reject(result);
          else resolve(result);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(job);
      startNext();
    });

  const beginSum = (request: SumRequest): KernelSum => {
    const job: SumJob = { request, plan: checkSizes(request, memoryBytes), memoryBytes };
    let state: SumState | null = null;
    return createKernelSum(request.module, job.plan, {
      add: async (terms, signal) => {
        const reply = await run({ job, state, terms }, signal);
        checkOutcome(reply);
        state = reply.state;
      },
      truncate: async (signal) => answerOf(await run({ job, state, terms: null }, signal)),
      release: () => {
        state = null;
      },
    });
  };
  return { name: 'portable', beginSum, truncate: (request, signal) => truncateAtOnce(beginSum, request, signal) };
}

/** Beside this file in both forms: TypeScript in development, JavaScript when compiled. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./portable/worker.${extension}`, import.meta.url);
}

function fault(what: string, cause?: unknown): KernelError {
  return new KernelError(
    'internal',
    `portable kernel: ${what}; the call was not answered: try again with less at a time`,
    { cause },
  );
}

/** The caller keeps its own factors, and the copies are moved to the thread. */
function copyTerm({ label, coefficient, b, a }: KernelTerm): KernelTerm {
  const copy = ({ dtype, rows, cols, bytes }: Factor): Factor => ({ dtype, rows, cols, bytes: new Uint8Array(bytes) });
  return { label, coefficient, b: copy(b), a: copy(a) };
}

function buffersOfTerm({ b, a }: KernelTerm): ArrayBuffer[] {
  return [b, a].map(({ bytes }) => bytes.buffer as ArrayBuffer);
}
