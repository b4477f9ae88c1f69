import type { ModelConfig } from '../model/model-config.ts';
import { type Attention, type AttentionScratch, createAttention, createAttentionScratch } from './attention.ts';
import type { Heap } from './heap.ts';
import type { Address, Kernels } from './kernels.ts';
import { createLinear, type Factors, type Linear, type LinearScratch, type Weight } from './linear.ts';
import type { LayerWeights, ModelWeights } from './model-weights.ts';

/** A row of targets with this value counts for nothing: padding at the end of a text. */
export const NO_TARGET = -1;

export interface TransformerOptions {
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  /** By module name; a module without factors runs as it is. */
  readonly factors: ReadonlyMap<string, Factors>;
  /** Where the gradients of the whole weight block are added up, laid out as the block; null where the base is frozen. */
  readonly blockGradient: Address | null;
  readonly batch: number;
}

/** The model at one batch size, with all the space it needs. */
export interface Transformer {
  /** Sum of the losses in nats and number of targets; inputs and targets are batch × length. */
  forward(inputs: Uint8Array, targets: Int32Array): { readonly nats: number; readonly targets: number };
  /** After `forward`: adds the gradients of the mean loss to those of the factors and of the weight block. */
  backward(): void;
}

/** A layer's activations, kept for the way back. */
interface Layer {
  readonly weights: LayerWeights;
  readonly attention: Attention;
  readonly linears: Readonly<Record<Exclude<keyof LayerWeights, 'attentionNorm' | 'feedForwardNorm'>, Linear>>;
  readonly input: Address;
  readonly inputInverses: Address;
  readonly normed: Address;
  readonly query: Address;
  readonly key: Address;
  readonly value: Address;
  readonly mixed: Address;
  readonly middle: Address;
  readonly middleInverses: Address;
  readonly middleNormed: Address;
  readonly gate: Address;
  readonly up: Address;
  readonly activated: Address;
}

export function createTransformer(kernels: Kernels, heap: Heap, options: TransformerOptions): Transformer {
  const { config, weights, factors, blockGradient, batch } = options;
  const { hidden, intermediate, length, normEpsilon, vocabulary } = config;
  const tokens = batch * length;
  const wide = tokens * hidden;
  const wider = tokens * intermediate;
  const attentionShape = { batch, length, heads: config.heads, headSize: config.headSize };
  const attentionScratch: AttentionScratch = createAttentionScratch(heap, attentionShape, config.ropeTheta);
  const widest = Math.max(hidden, intermediate, vocabulary, ...[...factors.values()].map((factor) => factor.padded));
  const linearScratch: LinearScratch = {
    pack: heap.allocate(Math.max(widest, tokens) * 8),
    wide: heap.allocate(tokens * widest),
    wideOther: heap.allocate(tokens * widest),
  };

  /** The gradient's place of a tensor of the block. */
  const gradientOf = (tensor: Address): Address | null =>
    blockGradient === null ? null : blockGradient + (tensor - weights.block.at);
  const linear = (weight: Weight): Linear =>
    createLinear(kernels, heap, {
      weight,
      factors: factors.get(weight.name) ?? null,
      weightGradient: gradientOf(weight.rows),
      tokens,
      scratch: linearScratch,
    });
  const layers = weights.layers.map(
    (layer): Layer => ({
      weights: layer,
      attention: createAttention(kernels, heap, attentionShape, attentionScratch),
      linears: {
        query: linear(layer.query),
        key: linear(layer.key),
        value: linear(layer.value),
        output: linear(layer.output),
        gate: linear(layer.gate),
        up: linear(layer.up),
        down: linear(layer.down),
      },
      input: heap.allocate(wide),
      inputInverses: heap.allocate(tokens),
      normed: heap.allocate(wide),
      query: heap.allocate(wide),
      key: heap.allocate(wide),
      value: heap.allocate(wide),
      mixed: heap.allocate(wide),
      middle: heap.allocate(wide),
      middleInverses: heap.allocate(tokens),
      middleNormed: heap.allocate(wide),
      gate: heap.allocate(wider),
      up: heap.allocate(wider),
      activated: heap.allocate(wider),
    }),
  );
  const head = linear(weights.head);
  const last = heap.allocate(wide);
  const lastInverses = heap.allocate(tokens);
  const lastNormed = heap.allocate(wide);
  const logits = heap.allocate(tokens * vocabulary);
  const targetsAt = heap.allocate(tokens);
  const margins = heap.allocate(tokens);
  const sums = heap.allocate(tokens);
  const dx = heap.allocate(wide);
  const dWide = [heap.allocate(wide), heap.allocate(wide), heap.allocate(wide), heap.allocate(wide)] as const;
  const dWider = [heap.allocate(wider), heap.allocate(wider), heap.allocate(wider)] as const;
  let lastInputs: Uint8Array = new Uint8Array();

  const norm = (y: Address, inverses: Address, x: Address, weight: Address): void =>
    kernels.rmsNorm(y, inverses, x, weight, tokens, hidden, normEpsilon);
  const normBackward = (dy: Address, x: Address, inverses: Address, weight: Address): void =>
    kernels.rmsNormBackward(dx, gradientOf(weight) ?? 0, dy, x, inverses, weight, tokens, hidden);
  const zero = (at: Address, count: number): void => void heap.floats(at, count).fill(0);

  const layerForward = (layer: Layer, output: Address): void => {
    const { linears, weights: own } = layer;
    norm(layer.normed, layer.inputInverses, layer.input, own.attentionNorm);
    linears.query.forward(layer.query, layer.normed);
    linears.key.forward(layer.key, layer.normed);
    linears.value.forward(layer.value, layer.normed);
    layer.attention.forward(layer.mixed, layer.query, layer.key, layer.value);
    linears.output.forward(layer.middle, layer.mixed);
    kernels.add(layer.middle, layer.input, wide);
    norm(layer.middleNormed, layer.middleInverses, layer.middle, own.feedForwardNorm);
    linears.gate.forward(layer.gate, layer.middleNormed);
    linears.up.forward(layer.up, layer.middleNormed);
    kernels.swiGlu(layer.activated, layer.gate, layer.up, wider);
    linears.down.forward(output, layer.activated);
    kernels.add(output, layer.middle, wide);
  };

  /** dx: from the gradient by the layer's output to that by its input; the latter is skipped where nothing below is trained. */
  const layerBackward = (layer: Layer, below: 'trained' | 'frozen'): void => {
    const { linears, weights: own } = layer;
    const [dNormed, dQuery, dKey, dValue] = dWide;
    const [dActivated, dGate, dUp] = dWider;
    zero(dActivated, wider);
    linears.down.backward(dActivated, dx, layer.activated);
    kernels.swiGluBackward(dGate, dUp, dActivated, layer.gate, layer.up, wider);
    zero(dNormed, wide);
    linears.gate.backward(dNormed, dGate, layer.middleNormed);
    linears.up.backward(dNormed, dUp, layer.middleNormed);
    normBackward(dNormed, layer.middle, layer.middleInverses, own.feedForwardNorm);

    const dMixed = dNormed;
    zero(dMixed, wide);
    linears.output.backward(dMixed, dx, layer.mixed);
    layer.attention.backward(dQuery, dKey, dValue, dMixed, layer.query, layer.key, layer.value);
    const dInput = below === 'trained' ? dNormed : null;
    if (dInput !== null) zero(dInput, wide);
    linears.query.backward(dInput, dQuery, layer.normed);
    linears.key.backward(dInput, dKey, layer.normed);
    linears.value.backward(dInput, dValue, layer.normed);
    if (dInput !== null) normBackward(dInput, layer.input, layer.inputInverses, own.attentionNorm);
  };

  /** The rows of an embedding-shaped matrix that the tokens choose. */
  const eachToken = (matrix: Address, visit: (row: Float32Array, token: number) => void): void => {
    const rows = heap.floats(matrix, vocabulary * hidden);
    lastInputs.forEach((byte, token) => {
      visit(rows.subarray(byte * hidden, (byte + 1) * hidden), token);
    });
  };

  return {
    forward(inputs, targets) {
      lastInputs = inputs;
      const first = heap.floats(layers[0]!.input, wide);
      eachToken(weights.embedding, (row, token) => first.set(row, token * hidden));
      layers.forEach((layer, i) => {
        layerForward(layer, layers[i + 1]?.input ?? last);
      });
      norm(lastNormed, lastInverses, last, weights.finalNorm);
      head.forward(logits, lastNormed);
      heap.integers(targetsAt, tokens).set(targets);
      const counted = targets.reduce((sum, target) => sum + (target === NO_TARGET ? 0 : 1), 0);
      kernels.crossEntropy(logits, targetsAt, margins, sums, tokens, vocabulary, 1 / counted);
      const [marginOf, sumOf] = [heap.floats(margins, tokens), heap.floats(sums, tokens)];
      let nats = 0;
      targets.forEach((target, row) => {
        if (target !== NO_TARGET) nats += marginOf[row]! + Math.log(sumOf[row]!);
      });
      return { nats, targets: counted };
    },
    backward() {
      const [dNormed] = dWide;
      zero(dNormed, wide);
      head.backward(dNormed, logits, lastNormed);
      zero(dx, wide);
      normBackward(dNormed, last, lastInverses, weights.finalNorm);
      for (let i = layers.length - 1; i >= 0; i--)
        layerBackward(layers[i]!, i > 0 || blockGradient !== null ? 'trained' : 'frozen');
      const embeddingGradient = gradientOf(weights.embedding);
      if (embeddingGradient === null) return;
      const rows = heap.floats(dx, wide);
      eachToken(embeddingGradient, (sum, token) => {
        for (let i = 0; i < hidden; i++) sum[i]! += rows[token * hidden + i]!;
      });
    },
  };
}
