import type { ScalingKind } from '@flexlora/core';
import type { EvaluateRequest, TrainRequest } from '../trainer.ts';

/** A request as it stands on the trainer's standard input, without its id. */
export type RequestMessage = Readonly<Record<string, unknown>> & {
  readonly kind: 'hello' | 'probe' | 'train' | 'evaluate';
};

const SCALINGS: Readonly<Record<ScalingKind, string>> = {
  alphaOverRank: 'alpha_over_rank',
  alphaOverSqrtRank: 'alpha_over_sqrt_rank',
  constant: 'constant',
};

export const helloMessage = (): RequestMessage => ({ kind: 'hello', protocol: 1 });

export const probeMessage = (ranks: readonly number[]): RequestMessage => ({ kind: 'probe', ranks });

export const trainMessage = (request: TrainRequest): RequestMessage => ({
  kind: 'train',
  adapter_in: request.adapterIn,
  adapter_out: request.adapterOut,
  ranks: request.ranks,
  alpha: request.alpha,
  scaling: SCALINGS[request.scaling],
  steps: request.steps,
  batch_size: request.batchSize,
  learning_rate: request.learningRate,
  seed: request.seed,
  data: request.data,
});

export const evaluateMessage = (request: EvaluateRequest): RequestMessage => ({
  kind: 'evaluate',
  adapter_in: request.adapterIn,
  data: request.data,
});
