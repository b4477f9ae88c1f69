import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  encodePeftConfig,
  isRefusal,
  type PeftConfig,
  parsePeftConfig,
  parsePeftTensorName,
  peftModuleRank,
  peftModuleScaling,
  peftTensorName,
  type ScalingKind,
} from '@flexlora/core/peft';
import { ADAPTER_BYTES_MAX, CONFIG_BYTES_MAX } from '../limits.ts';
import type { TrainerModule } from '../model/model-config.ts';
import { TrainerError } from '../trainer-error.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor } from './safetensors.ts';

/** What s·B·A is multiplied with: by kind from α and a module's rank. */
export interface PeftScaling {
  readonly kind: ScalingKind;
  readonly alpha: number;
}

/** LoRA on one module: W + scaling · B·A. */
export interface AdapterModule {
  readonly out: number;
  readonly in: number;
  readonly rank: number;
  readonly scaling: number;
  /** rank × in. */
  readonly a: Float32Array<ArrayBuffer>;
  /** out × rank. */
  readonly b: Float32Array<ArrayBuffer>;
}

const WEIGHTS_FILE = 'adapter_model.safetensors';
const CONFIG_FILE = 'adapter_config.json';

/** Where the scaling of each module comes from: the request, or the adapter's own configuration. */
export type ScalingSource =
  | { readonly kind: 'given'; readonly of: (rank: number) => number }
  | { readonly kind: 'file' };

/** Reads a PEFT directory; every tensor must fit a module of the model. Throws `bad_adapter`. */
export function readAdapter(
  directory: string,
  modules: readonly TrainerModule[],
  source: ScalingSource,
): ReadonlyMap<string, AdapterModule> {
  const tensors = readTensors(join(directory, WEIGHTS_FILE));
  const sides = new Map<string, { A?: Tensor; B?: Tensor }>();
  for (const [name, tensor] of tensors) {
    const factor = parsePeftTensorName(name);
    if (isRefusal(factor)) throw bad(directory, factor.message);
    const pair = sides.get(factor.module) ?? {};
    pair[factor.side === 'a' ? 'A' : 'B'] = tensor;
    sides.set(factor.module, pair);
  }
  if (sides.size === 0) throw bad(directory, 'it has no tensors');
  const scalingOf = source.kind === 'given' ? (_: string, rank: number) => source.of(rank) : fileScaling(directory);
  const shapes = new Map(modules.map((module) => [module.name, module]));
  const adapter = new Map<string, AdapterModule>();
  // In the order of the model's modules, so that nothing depends on the order of the file.
  for (const name of [...shapes.keys(), ...sides.keys()]) {
    const pair = sides.get(name);
    if (pair === undefined || adapter.has(name)) continue;
    const shape = shapes.get(name);
    if (shape === undefined)
      throw bad(directory, `module ${name} is not one of the model's: ${[...shapes.keys()].join(', ')}`);
    adapter.set(name, fit(directory, shape, pair, scalingOf));
  }
  return adapter;
}

function fit(
  directory: string,
  shape: TrainerModule,
  pair: { readonly A?: Tensor; readonly B?: Tensor },
  scalingOf: (name: string, rank: number) => number,
): AdapterModule {
  const { A, B } = pair;
  if (A === undefined || B === undefined)
    throw bad(directory, `module ${shape.name} has no lora_${A === undefined ? 'A' : 'B'}: both factors are needed`);
  const rank = A.shape[0] ?? 0;
  const fits = A.shape.length === 2 && B.shape.length === 2 && rank > 0;
  if (!fits || A.shape[1] !== shape.in || B.shape[0] !== shape.out || B.shape[1] !== rank)
    throw bad(
      directory,
      `module ${shape.name} has lora_A ${A.shape.join(' × ')} and lora_B ${B.shape.join(' × ')}; needed are r × ${shape.in} and ${shape.out} × r`,
    );
  if (!A.data.every(Number.isFinite) || !B.data.every(Number.isFinite))
    throw bad(directory, `module ${shape.name} holds NaN or infinity`);
  return { out: shape.out, in: shape.in, rank, scaling: scalingOf(shape.name, rank), a: A.data, b: B.data };
}

/** Writes a PEFT directory, whole or not at all: it gets its name when both files are complete. */
export function writeAdapter(
  directory: string,
  adapter: ReadonlyMap<string, AdapterModule>,
  scaling: PeftScaling,
): void {
  const tensors = new Map<string, Tensor>();
  for (const [name, { a, b, rank, in: width, out }] of adapter) {
    tensors.set(peftTensorName(name, 'a'), { shape: [rank, width], data: a });
    tensors.set(peftTensorName(name, 'b'), { shape: [out, rank], data: b });
  }
  const partial = join(dirname(directory), `.${basename(directory)}.partial`);
  try {
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, WEIGHTS_FILE), encodeSafetensors(tensors, 'F32'));
    writeFileSync(join(partial, CONFIG_FILE), configOf(adapter, scaling));
    renameSync(partial, directory);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    throw new TrainerError('internal', `adapter_out ${directory} could not be written: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function configOf(adapter: ReadonlyMap<string, AdapterModule>, { kind, alpha }: PeftScaling): string {
  return encodePeftConfig({
    modules: [...adapter].map(([name, { rank }]) => ({ name, rank, alpha })),
    scaling: kind,
    baseModel: null,
    taskType: 'CAUSAL_LM',
    fanInFanOut: false,
  });
}

/** As the rest of the platform and PEFT read it: one rule decides which module a pattern is meant for. */
function fileScaling(directory: string): (name: string, rank: number) => number {
  const config = readConfig(directory);
  return (name, rank) => {
    const declared = peftModuleRank(config, name);
    if (declared !== rank)
      throw bad(directory, `${CONFIG_FILE} gives ${name} rank ${declared}, and its tensors have rank ${rank}`);
    return peftModuleScaling(config, name);
  };
}

function readConfig(directory: string): PeftConfig {
  const bytes = readBounded(join(directory, CONFIG_FILE), CONFIG_BYTES_MAX);
  const config = parsePeftConfig(Buffer.from(bytes).toString('utf8'));
  if (isRefusal(config)) throw bad(directory, config.message);
  if (config.fanInFanOut)
    throw bad(directory, `fan_in_fan_out of ${CONFIG_FILE} is true; allowed: false, for linear modules`);
  return config;
}

function readTensors(file: string): ReadonlyMap<string, Tensor> {
  const bytes = readBounded(file, ADAPTER_BYTES_MAX);
  try {
    return decodeSafetensors(bytes);
  } catch (cause) {
    throw new TrainerError('bad_adapter', `${file}: ${(cause as Error).message}`, { cause });
  }
}

function readBounded(file: string, bytesMax: number): Uint8Array {
  try {
    const { size } = statSync(file);
    if (size > bytesMax) throw new Error(`it has ${size} bytes; allowed are ${bytesMax}`);
    return readFileSync(file);
  } catch (cause) {
    throw new TrainerError('bad_adapter', `${file} could not be read: ${(cause as Error).message}`, { cause });
  }
}

const bad = (directory: string, fault: string): TrainerError =>
  new TrainerError('bad_adapter', `adapter ${directory}: ${fault}`);
