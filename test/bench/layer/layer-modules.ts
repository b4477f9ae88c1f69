/** One LoRA target matrix, named as PEFT names it. */
export interface LayerModule {
  readonly name: string;
  readonly out: number;
  readonly in: number;
}

const HIDDEN = 4096;
const INNER = 11_008;

/** The linear layers of one transformer layer of a model of 7 billion parameters, which has 32 such layers. */
export const LAYER_MODULES: readonly LayerModule[] = [
  ...['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((name) => moduleOf(`self_attn.${name}`, HIDDEN, HIDDEN)),
  ...['gate_proj', 'up_proj'].map((name) => moduleOf(`mlp.${name}`, INNER, HIDDEN)),
  moduleOf('mlp.down_proj', HIDDEN, INNER),
];

function moduleOf(name: string, out: number, columns: number): LayerModule {
  return { name: `model.layers.0.${name}`, out, in: columns };
}
