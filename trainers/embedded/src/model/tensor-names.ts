/** The linear maps of a layer, by our key and by their path in a Hugging Face Llama. */
export const LAYER_LINEARS = [
  ['query', 'self_attn.q_proj'],
  ['key', 'self_attn.k_proj'],
  ['value', 'self_attn.v_proj'],
  ['output', 'self_attn.o_proj'],
  ['gate', 'mlp.gate_proj'],
  ['up', 'mlp.up_proj'],
  ['down', 'mlp.down_proj'],
] as const;

export type LayerLinear = (typeof LAYER_LINEARS)[number][0];
