import type { Clock } from '@flexlora/runtime';
import type { Tell } from '../agent-event.ts';
import { TRAINING_ATTEMPTS_MAX } from '../limits.ts';
import { type Trainer, TrainerError, type TrainerErrorCode, type TrainResult } from '../trainer.ts';
import type { Assignment, RunPlan } from '../translate.ts';
import type { WorkDirectory } from '../work-directory.ts';

export interface TrainDeps {
  readonly trainer: Trainer;
  readonly work: WorkDirectory;
  readonly clock: Clock;
  readonly tell: Tell;
}

export interface TrainStageRequest {
  readonly plan: RunPlan;
  readonly assignment: Assignment;
  readonly adapterIn: string;
  readonly data: unknown;
  readonly onProgress: (done: number, total: number, loss: number | null) => void;
  readonly signal: AbortSignal;
}

/** The assignment cannot be finished; the message is for the operator of the run. */
export interface TrainingFailure {
  readonly kind: 'trainingFailure';
  readonly code: TrainerErrorCode;
  readonly message: string;
}

export interface Trained {
  readonly kind: 'trained';
  readonly result: TrainResult;
  /** The PEFT directory that the trainer made. */
  readonly adapterOut: string;
}

/** Runs the trainer; one that died or fell silent is started again and tried once more. */
export async function train(deps: TrainDeps, request: TrainStageRequest): Promise<Trained | TrainingFailure> {
  const { plan, assignment, signal, onProgress } = request;
  for (let attempt = 1; ; attempt += 1) {
    const adapterOut = await deps.work.trainingPath(assignment.round);
    try {
      const result = await deps.trainer.train(
        {
          adapterIn: request.adapterIn,
          adapterOut,
          ranks: assignment.moduleRanks,
          ...plan.training,
          seed: assignment.seed,
          data: request.data,
        },
        { signal, onProgress: ({ done, total, loss }) => onProgress(done, total, loss) },
      );
      signal.throwIfAborted();
      return { kind: 'trained', result, adapterOut };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TrainerError)) throw error;
      const isWorthAnother = error.code === 'stalled' || error.code === 'exited';
      if (!isWorthAnother || attempt >= TRAINING_ATTEMPTS_MAX) return failureOf(error);
      deps.tell({ kind: 'retrying', what: 'train', message: error.message, waitMs: 0 });
    }
  }
}

function failureOf({ code, message }: TrainerError): TrainingFailure {
  return { kind: 'trainingFailure', code, message: `${SENTENCES[code]}: ${message}` };
}

const SENTENCES: Readonly<Record<TrainerErrorCode, string>> = {
  bad_request: 'the trainer did not take the request',
  bad_adapter: 'the trainer could not read the adapter',
  bad_data: 'the trainer could not read its data',
  out_of_memory: 'training ran out of memory',
  diverged: 'training diverged',
  cancelled: 'training was cancelled by the trainer',
  internal: 'the trainer failed',
  stalled: 'the trainer fell silent',
  exited: 'the trainer died',
};
