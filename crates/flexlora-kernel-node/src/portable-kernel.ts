import { Worker } from 'node:worker_threads';
import { type Factor, type Kernel, KernelError, type TruncatedSum, type TruncateRequest } from './kernel.ts';
import { answerOf, cancelled, type Outcome } from './outcome.ts';

interface Job {
  readonly request: TruncateRequest;
  readonly settle: (result: Outcome | Error) => void;
}

/**
 * The kernel in plain TypeScript, for machines without the native addon: the same answers, slower. One worker thread does one request
 * after the other; it keeps the process alive only while there is work. An abort of the running request ends the thread.
 */
export function createPortableKernel(): Kernel {
  const queue: Job[] = [];
  let running: { readonly job: Job; readonly worker: Worker } | null = null;
  let idle: Worker | null = null;

  const finish = (worker: Worker, result: Outcome | Error, next: Worker | null): void => {
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
    worker.on('message', (outcome: Outcome) => finish(worker, outcome, worker));
    worker.on('error', (cause) => finish(worker, fault('the worker thread failed', cause), null));
    worker.on('exit', (code) => finish(worker, fault(`the worker thread ended with code ${code}`), null));
    return worker;
  };

  const startNext = (): void => {
    if (running !== null) return;
    const job = queue.shift();
    if (job === undefined) return;
    try {
      const copy = copyRequest(job.request);
      const worker = idle ?? startWorker();
      idle = null;
      running = { job, worker };
      worker.ref();
      worker.postMessage(copy.request, copy.buffers);
    } catch (cause) {
      running = null;
      job.settle(fault('the request could not be handed to the worker thread', cause));
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
    job.settle(cancelled(job.request.module));
    startNext();
  };

  return {
    name: 'portable',
    truncate(request, signal) {
      return new Promise<TruncatedSum>((resolve, reject) => {
        if (signal?.aborted) return reject(cancelled(request.module));
        const onAbort = (): void => withdraw(job);
        const job: Job = {
          request,
          settle: (result) => {
            signal?.removeEventListener('abort', onAbort);
            try {
              if (result instanceof Error) reject(result);
              else resolve(answerOf(result));
            } catch (error) {
              reject(error);
            }
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        queue.push(job);
        startNext();
      });
    },
  };
}

/** Beside this file in both forms: TypeScript in development, JavaScript when compiled. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./portable/worker.${extension}`, import.meta.url);
}

function fault(what: string, cause?: unknown): KernelError {
  return new KernelError(
    'internal',
    `portable kernel: ${what}; the request was not answered: try again with less at a time`,
    { cause },
  );
}

/** The factors are copied, so that the caller keeps its own, and the copies are moved to the thread. */
function copyRequest(request: TruncateRequest): { readonly request: TruncateRequest; readonly buffers: ArrayBuffer[] } {
  const buffers: ArrayBuffer[] = [];
  const copy = ({ dtype, rows, cols, bytes }: Factor): Factor => {
    const own = new Uint8Array(bytes);
    buffers.push(own.buffer);
    return { dtype, rows, cols, bytes: own };
  };
  const terms = request.terms.map(({ label, coefficient, b, a }) => ({ label, coefficient, b: copy(b), a: copy(a) }));
  const { module, out, rank, completionSeed } = request;
  return { request: { module, out, in: request.in, rank, completionSeed, terms }, buffers };
}
