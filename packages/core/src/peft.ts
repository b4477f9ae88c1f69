/** `@flexlora/core/peft`: PEFT's files alone, for threads and programs that start often and read nothing else of the core. */
export * from './adapter/factor.ts';
export * from './adapter/peft-config.ts';
export * from './adapter/peft-config-encode.ts';
export * from './adapter/peft-names.ts';
export * from './adapter/safetensors-header.ts';
export * from './adapter/scaling-factor.ts';
export * from './refusal.ts';
export type { ScalingKind } from './round/run-spec.ts';
