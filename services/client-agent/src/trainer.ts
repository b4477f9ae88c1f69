import type { ScalingKind } from '@flexlora/core';

/**
 * What trains. The protocol's methods (docs/reference/trainer-protocol.md) as a port: `command-trainer` speaks it to a child process, the
 * embedded trainer is called in process. A result depends on its request alone. Failures are thrown as {@link TrainerError}.
 */
export interface Trainer {
  hello(): Promise<TrainerReady>;
  probe(request: ProbeRequest, options?: TrainerCallOptions): Promise<ProbeResult>;
  train(request: TrainRequest, options?: TrainerCallOptions): Promise<TrainResult>;
  evaluate(request: EvaluateRequest, options?: TrainerCallOptions): Promise<EvaluateResult>;
  close(): Promise<void>;
}

export interface TrainerCallOptions {
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
  readonly modules: readonly { readonly name: string; readonly out: number; readonly in: number }[];
  /** SHA-256 of the base model's weights file. */
  readonly baseDigest: string;
}

export interface ProbeRequest {
  readonly ranks: readonly number[];
}

export interface ProbeResult {
  readonly measurements: readonly {
    readonly rank: number;
    readonly memoryBytes: number;
    readonly stepSeconds: number;
  }[];
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
  /** Passed on from the agent's own configuration. */
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

export type TrainerErrorCode =
  | 'bad_request'
  | 'bad_adapter'
  | 'bad_data'
  | 'out_of_memory'
  | 'diverged'
  | 'cancelled'
  | 'internal'
  /** Of the command trainer alone: the process died or fell silent. */
  | 'stalled'
  | 'exited';

export class TrainerError extends Error {
  override readonly name = 'TrainerError';
  readonly code: TrainerErrorCode;

  constructor(code: TrainerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
