import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors, type Tensor } from '../adapter/safetensors.ts';
import { linearModules, type ModelConfig, readModelConfig, type TrainerModule } from './model-config.ts';

/** A Hugging Face directory: `config.json` and `model.safetensors`. */
export const BASE_MODEL_DIR = fileURLToPath(new URL('../../base-model', import.meta.url));

export interface BaseModel {
  readonly config: ModelConfig;
  readonly modules: readonly TrainerModule[];
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** SHA-256 of `model.safetensors`, in hexadecimal. */
  readonly digest: string;
}

function readConfig(directory: string): ModelConfig {
  return readModelConfig(JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as Record<string, unknown>);
}

/** The modules of the base model, by its configuration alone. */
export function baseModelModules(directory: string = BASE_MODEL_DIR): readonly TrainerModule[] {
  return linearModules(readConfig(directory));
}

export function loadBaseModel(directory: string = BASE_MODEL_DIR): BaseModel {
  const config = readConfig(directory);
  const bytes = readFileSync(join(directory, 'model.safetensors'));
  const tensors = decodeSafetensors(bytes);
  const modules = linearModules(config);
  for (const { name, out, in: width } of modules) {
    const shape = tensors.get(`${name}.weight`)?.shape.join(' × ');
    if (shape !== `${out} × ${width}`)
      throw new Error(
        `model.safetensors: ${name}.weight is ${shape ?? 'missing'}; config.json asks for ${out} × ${width}`,
      );
  }
  return { config, modules, tensors, digest: createHash('sha256').update(bytes).digest('hex') };
}
