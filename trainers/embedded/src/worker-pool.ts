import { Worker } from 'node:worker_threads';
import type { TrainerCallOptions, TrainerProgress } from './trainer.ts';
import { TrainerError, type TrainerErrorCode } from './trainer-error.ts';

export type JobKind = 'train' | 'evaluate' | 'probe';

export interface JobMessage {
  readonly job: number;
  readonly kind: JobKind;
  readonly request: unknown;
}

export type WorkerMessage =
  | { readonly kind: 'progress'; readonly progress: TrainerProgress }
  | { readonly kind: 'done'; readonly result: unknown }
  | {
      readonly kind: 'failed';
      readonly code: TrainerErrorCode;
      readonly message: string;
      readonly peakBytes: number | null;
    };

export interface WorkerOptions {
  /** One integer: the number of the job that must stop. Shared, because a thread that computes reads no messages. */
  readonly cancelledJob: SharedArrayBuffer;
}

/** Threads that each compute one job at a time, first come first served. Idle threads do not keep the process alive. */
export interface WorkerPool {
  run(kind: JobKind, request: unknown, options?: TrainerCallOptions): Promise<unknown>;
  /** Stops the threads; what was asked for and is not answered fails with `cancelled`. */
  close(): Promise<void>;
}

interface Job {
  readonly message: JobMessage;
  readonly onProgress: ((progress: TrainerProgress) => void) | undefined;
  readonly settle: (outcome: WorkerMessage & { readonly kind: 'done' | 'failed' }) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly cancelledJob: Int32Array;
  job: Job | null;
}

const CANCELLED = {
  kind: 'failed',
  code: 'cancelled',
  message: 'the request was cancelled',
  peakBytes: null,
} as const;

/** Beside this file: as source under Node's type stripping, or compiled. */
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export function createWorkerPool(size: number, workerUrl: URL = WORKER_URL): WorkerPool {
  const threads = new Set<Thread>();
  const queue: Job[] = [];
  let nextJob = 1;
  let closed = false;

  const spawn = (): Thread => {
    const cancelledJob = new SharedArrayBuffer(4);
    const options: WorkerOptions = { cancelledJob };
    const thread: Thread = {
      worker: new Worker(workerUrl, { workerData: options }),
      cancelledJob: new Int32Array(cancelledJob),
      job: null,
    };
    thread.worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'progress') thread.job?.onProgress?.(message.progress);
      else finish(thread, message);
    });
    // A thread that dies takes its job with it, and no other: the next job gets a new thread.
    let fault = 'without an error';
    thread.worker.on('error', (error) => {
      fault = String(error);
    });
    thread.worker.on('exit', (status) => {
      threads.delete(thread);
      const message = `the training thread ended with ${status}: ${fault}`;
      finish(thread, closed ? CANCELLED : { kind: 'failed', code: 'internal', message, peakBytes: null });
    });
    threads.add(thread);
    return thread;
  };

  const finish = (thread: Thread, outcome: WorkerMessage & { readonly kind: 'done' | 'failed' }): void => {
    const { job } = thread;
    thread.job = null;
    thread.worker.unref();
    job?.settle(outcome);
    startNext();
  };

  const startNext = (): void => {
    if (closed || queue.length === 0) return;
    const idle = [...threads].find((thread) => thread.job === null);
    const thread = idle ?? (threads.size < size ? spawn() : null);
    const job = thread === null ? undefined : queue.shift();
    if (thread === null || job === undefined) return;
    thread.job = job;
    thread.worker.ref();
    thread.worker.postMessage(job.message);
  };

  const cancel = (job: Job): void => {
    const place = queue.indexOf(job);
    if (place >= 0) {
      queue.splice(place, 1);
      job.settle(CANCELLED);
    }
    for (const thread of threads) if (thread.job === job) Atomics.store(thread.cancelledJob, 0, job.message.job);
  };

  return {
    run(kind, request, { signal, onProgress } = {}) {
      if (closed || signal?.aborted === true) return Promise.reject(toError(CANCELLED));
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const onAbort = (): void => cancel(job);
      const job: Job = {
        message: { job: nextJob++, kind, request },
        onProgress,
        settle(outcome) {
          signal?.removeEventListener('abort', onAbort);
          if (outcome.kind === 'done') resolve(outcome.result);
          else reject(toError(outcome));
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      queue.push(job);
      startNext();
      return promise;
    },
    async close() {
      closed = true;
      for (const job of queue.splice(0)) job.settle(CANCELLED);
      await Promise.all([...threads].map((thread) => thread.worker.terminate()));
    },
  };
}

function toError(outcome: WorkerMessage & { readonly kind: 'failed' }): TrainerError {
  const { code, message, peakBytes } = outcome;
  return new TrainerError(code, message, peakBytes === null ? {} : { peakBytes });
}
