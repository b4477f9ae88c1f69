import { LAYER_LINEARS, type LayerLinear } from './tensor-names.ts';

/** A target matrix of LoRA, named as PEFT names it. */
export interface TrainerModule {
  readonly name: string;
  readonly out: number;
  readonly in: number;
}

/** The part of a Llama `config.json` that shapes the computation. */
export interface ModelConfig {
  readonly vocabulary: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
  /** Tokens of a training sequence, and the most that the model looks back. */
  readonly length: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
}

/** Reads what Hugging Face writes for a `LlamaForCausalLM`; throws where the model is not of the kind that the engine computes. */
export function readModelConfig(json: Readonly<Record<string, unknown>>): ModelConfig {
  const count = (key: string, multipleOf: number): number => {
    const value = json[key];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value % multipleOf === 0) return value;
    throw new Error(`config.json: ${key} is ${JSON.stringify(value)}; a positive multiple of ${multipleOf} is needed`);
  };
  const required = (key: string, allowed: unknown): void => {
    if (json[key] !== allowed)
      throw new Error(
        `config.json: ${key} is ${JSON.stringify(json[key])}; only ${JSON.stringify(allowed)} is computed`,
      );
  };
  required('model_type', 'llama');
  required('hidden_act', 'silu');
  required('tie_word_embeddings', false);
  required('attention_bias', false);
  required('mlp_bias', false);
  const heads = count('num_attention_heads', 1);
  required('num_key_value_heads', heads);
  const hidden = count('hidden_size', 8 * heads);
  const rope = json['rope_parameters'] as { readonly rope_theta?: unknown } | undefined;
  const real = (name: string, value: unknown): number => {
    if (typeof value === 'number' && value > 0) return value;
    throw new Error(`config.json: ${name} is ${JSON.stringify(value)}; a positive number is needed`);
  };
  return {
    vocabulary: count('vocab_size', 8),
    hidden,
    intermediate: count('intermediate_size', 8),
    layers: count('num_hidden_layers', 1),
    heads,
    headSize: hidden / heads,
    length: count('max_position_embeddings', 8),
    normEpsilon: real('rms_norm_eps', json['rms_norm_eps']),
    ropeTheta: real('rope_theta', json['rope_theta'] ?? rope?.rope_theta),
  };
}

/** Every linear map, in the order of the forward pass. */
export function linearModules(config: ModelConfig): readonly TrainerModule[] {
  const { hidden, intermediate, vocabulary } = config;
  const sizes: Readonly<Record<LayerLinear, readonly [out: number, input: number]>> = {
    query: [hidden, hidden],
    key: [hidden, hidden],
    value: [hidden, hidden],
    output: [hidden, hidden],
    gate: [intermediate, hidden],
    up: [intermediate, hidden],
    down: [hidden, intermediate],
  };
  const layers = Array.from({ length: config.layers }, (_, layer) =>
    LAYER_LINEARS.map(([key, path]) => ({
      name: `model.layers.${layer}.${path}`,
      out: sizes[key][0],
      in: sizes[key][1],
    })),
  );
  return [...layers.flat(), { name: 'lm_head', out: vocabulary, in: hidden }];
}
