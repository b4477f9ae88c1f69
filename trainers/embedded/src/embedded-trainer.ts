import { readFileSync } from 'node:fs';
import { checkEvaluateRequest, checkProbeRequest, checkTrainRequest, type UncheckedFields } from './check-request.ts';
import { THREADS_MAX } from './limits.ts';
import { loadBaseModel } from './model/base-model.ts';
import type { EvaluateResult, ProbeResult, Trainer, TrainerReady, TrainResult } from './trainer.ts';
import { createWorkerPool } from './worker-pool.ts';

export interface EmbeddedTrainerOptions {
  /** Requests computed at the same time; the others wait. */
  readonly threads: number;
}

/** The trainer that needs nothing but Node. All callers in a process can share one: its threads are a pool. */
export function createEmbeddedTrainer(options: EmbeddedTrainerOptions): Trainer {
  const { threads } = options;
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > THREADS_MAX)
    throw new RangeError(`threads is ${threads}; allowed is an integer from 1 to ${THREADS_MAX}`);
  const pool = createWorkerPool(threads);
  let ready: TrainerReady | null = null;
  return {
    async hello() {
      ready ??= readiness();
      return ready;
    },
    // Asynchronous, so that a refusal is a rejection like every other failure.
    probe: async (request, call) =>
      (await pool.run('probe', checkProbeRequest(unchecked(request)), call)) as ProbeResult,
    train: async (request, call) =>
      (await pool.run('train', checkTrainRequest(unchecked(request)), call)) as TrainResult,
    evaluate: async (request, call) =>
      (await pool.run('evaluate', checkEvaluateRequest(unchecked(request)), call)) as EvaluateResult,
    close: () => pool.close(),
  };
}

const unchecked = (request: object): UncheckedFields => request as UncheckedFields;

function readiness(): TrainerReady {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  const { digest, modules } = loadBaseModel();
  return { trainer: 'embedded', version, modules, baseDigest: digest };
}
