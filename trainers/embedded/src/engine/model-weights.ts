import type { BaseModel } from '../model/base-model.ts';
import { LAYER_LINEARS, type LayerLinear } from '../model/tensor-names.ts';
import type { Heap } from './heap.ts';
import type { Address, Kernels } from './kernels.ts';
import type { Weight } from './linear.ts';

export interface LayerWeights extends Readonly<Record<LayerLinear, Weight>> {
  readonly attentionNorm: Address;
  readonly feedForwardNorm: Address;
}

/** The base model in the kernels' memory. All tensors of the file lie in one block, so that pretraining can step over them at once. */
export interface ModelWeights {
  readonly block: { readonly at: Address; readonly count: number };
  readonly embedding: Address;
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: Address;
  readonly head: Weight;
  /** Makes the transposes again after the block has changed. */
  refresh(): void;
  /** A copy of one tensor as it stands. */
  read(name: string): Float32Array<ArrayBuffer>;
}

export function placeWeights(kernels: Kernels, heap: Heap, model: BaseModel): ModelWeights {
  const count = [...model.tensors.values()].reduce((sum, tensor) => sum + tensor.data.length, 0);
  const at = heap.allocate(count);
  const places = new Map<string, { readonly at: Address; readonly count: number }>();
  let next = at;
  for (const [name, tensor] of model.tensors) {
    heap.floats(next, tensor.data.length).set(tensor.data);
    places.set(name, { at: next, count: tensor.data.length });
    next += tensor.data.length * 4;
  }
  const placeOf = (name: string): { readonly at: Address; readonly count: number } => {
    const place = places.get(name);
    if (place === undefined) throw new Error(`the base model has no tensor ${name}`);
    return place;
  };

  const weights = new Map<string, Weight>(
    model.modules.map((module) => {
      const rows = placeOf(`${module.name}.weight`).at;
      return [module.name, { ...module, rows, transposed: heap.allocate(module.out * module.in) }];
    }),
  );
  const weightOf = (name: string): Weight => {
    const weight = weights.get(name);
    if (weight === undefined) throw new Error(`the base model has no module ${name}`);
    return weight;
  };
  const layers = Array.from({ length: model.config.layers }, (_, layer): LayerWeights => {
    const prefix = `model.layers.${layer}`;
    const linears = LAYER_LINEARS.map(([key, path]) => [key, weightOf(`${prefix}.${path}`)] as const);
    return {
      ...(Object.fromEntries(linears) as Record<LayerLinear, Weight>),
      attentionNorm: placeOf(`${prefix}.input_layernorm.weight`).at,
      feedForwardNorm: placeOf(`${prefix}.post_attention_layernorm.weight`).at,
    };
  });

  const placed: ModelWeights = {
    block: { at, count },
    embedding: placeOf('model.embed_tokens.weight').at,
    layers,
    finalNorm: placeOf('model.norm.weight').at,
    head: weightOf('lm_head'),
    refresh() {
      for (const weight of weights.values())
        kernels.transpose(weight.transposed, weight.rows, weight.out, weight.in, weight.in);
    },
    read(name) {
      const place = placeOf(name);
      return heap.floats(place.at, place.count).slice();
    },
  };
  placed.refresh();
  return placed;
}
