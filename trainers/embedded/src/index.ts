export type { ScalingKind } from '@flexlora/core/peft';
export {
  type AdapterModule,
  type PeftScaling,
  readAdapter,
  type ScalingSource,
  writeAdapter,
} from './adapter/peft-adapter.ts';
export {
  type CorpusSplit,
  DIAGNOSTICS_LANGUAGES,
  type DiagnosticsLanguage,
  type DiagnosticsSize,
  diagnosticsSizes,
  diagnosticsText,
  splitOf,
} from './data/diagnostics-corpus.ts';
export type { EmbeddedData } from './data/read-data.ts';
export { createEmbeddedTrainer, type EmbeddedTrainerOptions } from './embedded-trainer.ts';
export { BASE_MODEL_DIR, baseModelModules } from './model/base-model.ts';
export type { TrainerModule } from './model/model-config.ts';
export { serveProtocol } from './serve-protocol.ts';
export type {
  EvaluateRequest,
  EvaluateResult,
  ProbeMeasurement,
  ProbeRequest,
  ProbeResult,
  Trainer,
  TrainerCallOptions,
  TrainerProgress,
  TrainerReady,
  TrainRequest,
  TrainResult,
} from './trainer.ts';
export { TrainerError, type TrainerErrorCode } from './trainer-error.ts';
