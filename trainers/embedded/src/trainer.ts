import type { ScalingKind } from '@flexlora/core/peft';
import type { TrainerModule } from './model/model-config.ts';

/**
 * The requests of the trainer protocol (docs/reference/trainer-protocol.md) as methods, field for field in camel case. A result depends on its
 * request alone. Failures are thrown as `TrainerError`.
 */
export interface Trainer {
  hello(): Promise<TrainerReady>;
  probe(request: ProbeRequest, options?: TrainerCallOptions): Promise<ProbeResult>;
  train(request: TrainRequest, options?: TrainerCallOptions): Promise<TrainResult>;
  evaluate(request: EvaluateRequest, options?: TrainerCallOptions): Promise<EvaluateResult>;
  close(): Promise<void>;
}

export interface TrainerCallOptions {
  /** Aborting stops the request within one step; it then fails with `cancelled`. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainerProgress) => void;
}

export interface TrainerProgress {
  readonly done: number;
  readonly total: number;
  /** Nats per token, or null. */
  readonly loss: number | null;
}

export interface TrainerReady {
  readonly trainer: string;
  readonly version: string;
  readonly modules: readonly TrainerModule[];
  /** SHA-256 of the base model's weights file. */
  readonly baseDigest: string;
}

export interface ProbeRequest {
  readonly ranks: readonly number[];
}

export interface ProbeResult {
  readonly measurements: readonly ProbeMeasurement[];
}

export interface ProbeMeasurement {
  readonly rank: number;
  readonly memoryBytes: number;
  readonly stepSeconds: number;
}

export interface TrainRequest {
  /** PEFT directory to start from. */
  readonly adapterIn: string;
  /** PEFT directory that the trainer creates; absent after an error. */
  readonly adapterOut: string;
  /** By module name. */
  readonly ranks: Readonly<Record<string, number>>;
  readonly alpha: number;
  readonly scaling: ScalingKind;
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
  /** See `EmbeddedData`. */
  readonly data: unknown;
}

export interface TrainResult {
  readonly samples: number;
  readonly steps: number;
  readonly lossFirst: number;
  readonly lossLast: number;
  readonly seconds: number;
}

export interface EvaluateRequest {
  /** PEFT directory, or null for the base alone. */
  readonly adapterIn: string | null;
  readonly data: unknown;
}

export interface EvaluateResult {
  /** Mean nats per token. */
  readonly loss: number;
  readonly tokens: number;
  readonly seconds: number;
}
