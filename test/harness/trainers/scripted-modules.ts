/** Wide and flat: an update of rank 64 has more than one part of an upload, and is summed in an instant. One module is one task. */
const [OUT, IN] = [128, 8_192];

export const SCRIPTED_MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((target) => ({
  name: `model.layers.0.self_attn.${target}`,
  out: OUT,
  in: IN,
}));
