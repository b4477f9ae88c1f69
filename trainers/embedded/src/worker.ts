import { parentPort, workerData } from 'node:worker_threads';
import { createEngine, type EngineHooks } from './engine/engine.ts';
import { loadBaseModel } from './model/base-model.ts';
import type { EvaluateRequest, ProbeRequest, TrainRequest } from './trainer.ts';
import { toTrainerError } from './trainer-error.ts';
import type { JobMessage, WorkerMessage, WorkerOptions } from './worker-pool.ts';

// A thread of the pool. Requests arrive checked.
const port = parentPort!;
const cancelledJob = new Int32Array((workerData as WorkerOptions).cancelledJob);
const engine = createEngine(loadBaseModel());
const send = (message: WorkerMessage): void => port.postMessage(message);

port.on('message', ({ job, kind, request }: JobMessage) => {
  const hooks: EngineHooks = {
    cancelled: () => Atomics.load(cancelledJob, 0) === job,
    progress: (progress) => send({ kind: 'progress', progress }),
  };
  try {
    send({ kind: 'done', result: compute(kind, request, hooks) });
  } catch (cause) {
    const { code, message, peakBytes } = toTrainerError(cause);
    send({ kind: 'failed', code, message, peakBytes });
  }
});

function compute(kind: JobMessage['kind'], request: unknown, hooks: EngineHooks): unknown {
  switch (kind) {
    case 'train':
      return engine.train(request as TrainRequest, hooks);
    case 'evaluate':
      return engine.evaluate(request as EvaluateRequest, hooks);
    case 'probe':
      return engine.probe(request as ProbeRequest, hooks);
  }
}
