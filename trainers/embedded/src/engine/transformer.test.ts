import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomAdapter } from '../adapter/random-adapter.ts';
import { createSeededRandom } from '../data/seeded-random.ts';
import { sampleWindows } from '../data/windows.ts';
import { SMALL_CONFIG, smallModel } from '../testing/small-model.ts';
import { createHeap } from './heap.ts';
import { loadKernels } from './kernels.ts';
import { placeWeights } from './model-weights.ts';
import { placeFactors } from './place-factors.ts';
import { createTransformer, NO_TARGET } from './transformer.ts';

const BATCH = 2;
/** Ranks on both sides of the padding, another for each module. */
const RANKS = [1, 3, 8, 5, 9, 16, 2];

function setUp(seed: number) {
  const model = smallModel(seed);
  const random = createSeededRandom(seed + 1);
  const { kernels, memory } = loadKernels();
  const heap = createHeap(memory);
  const weights = placeWeights(kernels, heap, model);
  let next = 0;
  const adapter = randomAdapter(model.modules, () => RANKS[next++ % RANKS.length]!, 3, random);
  const placed = placeFactors(kernels, heap, adapter);
  const blockGradient = heap.allocate(weights.block.count);
  const { config } = model;
  const net = createTransformer(kernels, heap, {
    config,
    weights,
    factors: placed.factors,
    blockGradient,
    batch: BATCH,
  });
  const text = Uint8Array.from({ length: 200 }, () => random.below(config.vocabulary));
  const windows = sampleWindows(text, config.length, BATCH, random);
  windows.targets.fill(NO_TARGET, 25);
  const loss = (): number => {
    weights.refresh();
    placed.refresh();
    const { nats, targets } = net.forward(windows.inputs, windows.targets);
    return nats / targets;
  };
  return { model, heap, weights, adapter, placed, blockGradient, net, loss };
}

type Setting = ReturnType<typeof setUp>;

/**
 * The slope of the loss along the gradient's own direction, by a central difference. It is the gradient's length where the gradient is right, and
 * less for any other vector of that length.
 */
function measuredSlope(setting: Setting, at: number, gradient: Float32Array, length: number): number {
  const { heap, loss } = setting;
  const start = heap.floats(at, gradient.length).slice();
  // Far enough for single precision, near enough for the curvature.
  const distance = 4e-3 / length;
  const lossAt = (factor: number): number => {
    const values = heap.floats(at, gradient.length);
    for (let i = 0; i < values.length; i++) values[i] = start[i]! + (factor * gradient[i]!) / length;
    return loss();
  };
  const slope = (lossAt(distance) - lossAt(-distance)) / (2 * distance);
  lossAt(0);
  return slope;
}

function assertGradient(setting: Setting, name: string, at: number, gradientAt: number, count: number): void {
  const gradient = setting.heap.floats(gradientAt, count).slice();
  const length = Math.hypot(...gradient);
  assert.ok(length > 1e-4, `${name} has a gradient of length ${length}: the test sees nothing`);
  const slope = measuredSlope(setting, at, gradient, length);
  assert.ok(
    Math.abs(slope / length - 1) < 0.01,
    `${name}: the loss falls by ${slope} where the gradient says ${length}`,
  );
}

test('the gradient of every factor is the slope of the loss', () => {
  const setting = setUp(7);
  setting.loss();
  setting.net.backward();
  for (const [name, module] of setting.adapter) {
    const own = setting.placed.factors.get(name)!;
    assertGradient(setting, `${name} A`, own.a, own.aGradient, module.rank * module.in);
    assertGradient(setting, `${name} B`, own.bTransposed, own.bTransposedGradient, module.rank * module.out);
  }
});

test('the gradient of every tensor of the base is the slope of the loss', () => {
  const setting = setUp(11);
  setting.loss();
  setting.net.backward();
  const { block } = setting.weights;
  let offset = 0;
  for (const [name, { data }] of setting.model.tensors) {
    assertGradient(setting, name, block.at + offset, setting.blockGradient + offset, data.length);
    offset += data.length * 4;
  }
  assert.equal(offset, block.count * 4);
});

test('the gradient check sees one wrong entry in forty', () => {
  const setting = setUp(13);
  setting.loss();
  setting.net.backward();
  const name = 'model.layers.0.self_attn.k_proj';
  const own = setting.placed.factors.get(name)!;
  const count = setting.adapter.get(name)!.rank * SMALL_CONFIG.hidden;
  const gradient = setting.heap.floats(own.aGradient, count);
  const largest = gradient.reduce((best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best), 0);
  gradient[largest]! *= -1;
  assert.throws(() => assertGradient(setting, name, own.a, own.aGradient, count), /the loss falls by/);
});

test('padding of a rank stays without gradient', () => {
  const setting = setUp(17);
  setting.loss();
  setting.net.backward();
  for (const [name, { rank, in: width, out }] of setting.adapter) {
    const { padded, aGradient, bTransposedGradient } = setting.placed.factors.get(name)!;
    for (const [at, side] of [[aGradient, width] as const, [bTransposedGradient, out] as const]) {
      const padding = setting.heap.floats(at, padded * side).subarray(rank * side);
      assert.ok(
        padding.every((value) => value === 0),
        name,
      );
    }
  }
});

test('a later byte does not change what is predicted before it', () => {
  const { kernels, memory } = loadKernels();
  const heap = createHeap(memory);
  const model = smallModel(19);
  const { config } = model;
  const weights = placeWeights(kernels, heap, model);
  const net = createTransformer(kernels, heap, { config, weights, factors: new Map(), blockGradient: null, batch: 1 });
  const inputs = Uint8Array.from({ length: config.length }, (_, i) => (i * 7) % config.vocabulary);
  const targets = new Int32Array(config.length).fill(NO_TARGET).fill(5, 0, 4);
  const { nats } = net.forward(inputs, targets);
  inputs.fill(3, 4);
  assert.equal(net.forward(inputs, targets).nats, nats);
  inputs[3] = 1;
  assert.notEqual(net.forward(inputs, targets).nats, nats);
});
