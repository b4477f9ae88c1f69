import type { Tensor } from '../adapter/safetensors.ts';
import { createSeededRandom } from '../data/seeded-random.ts';
import type { BaseModel } from '../model/base-model.ts';
import { linearModules, type ModelConfig } from '../model/model-config.ts';

/** Sides that all differ, so that a matrix taken for its transpose is noticed. */
export const SMALL_CONFIG: ModelConfig = {
  vocabulary: 48,
  hidden: 32,
  intermediate: 40,
  layers: 2,
  heads: 4,
  headSize: 8,
  length: 16,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
};

/** A model of random numbers, small enough for a test to run hundreds of passes. */
export function smallModel(seed: number): BaseModel {
  const random = createSeededRandom(seed);
  const modules = linearModules(SMALL_CONFIG);
  const { hidden, layers, vocabulary } = SMALL_CONFIG;
  const tensors = new Map<string, Tensor>();
  const draw = (name: string, shape: readonly number[], mean: number, deviation: number): void => {
    const count = shape.reduce((product, side) => product * side, 1);
    const data = Float32Array.from({ length: count }, () => mean + deviation * random.normal());
    tensors.set(name, { shape, data });
  };
  draw('model.embed_tokens.weight', [vocabulary, hidden], 0, 1);
  for (const { name, out, in: width } of modules) draw(`${name}.weight`, [out, width], 0, 1.5 / Math.sqrt(width));
  for (let layer = 0; layer < layers; layer++) {
    draw(`model.layers.${layer}.input_layernorm.weight`, [hidden], 1, 0.2);
    draw(`model.layers.${layer}.post_attention_layernorm.weight`, [hidden], 1, 0.2);
  }
  draw('model.norm.weight', [hidden], 1, 0.2);
  return { config: SMALL_CONFIG, modules, tensors, digest: '' };
}
