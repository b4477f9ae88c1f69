// The figures of docs/adr/0003-embedded-trainer.md: one LoRA training step of 4 × 64 tokens by the embedded trainer's own gradients, and by
// @jax-js/jax, an autograd library that is not a dependency of this repository:
//
//   npm install --prefix /tmp/weigh @jax-js/jax@0.1.25
//   node trainers/embedded/scripts/weigh-autograd.mjs /tmp/weigh/node_modules/@jax-js/jax/dist/index.js
//
// Times are of the processor, not of the clock, so that other work on the machine disturbs them little. Ranks are those of every module.
import { pathToFileURL } from 'node:url';
import { randomAdapter } from '../src/adapter/random-adapter.ts';
import { createSeededRandom } from '../src/data/seeded-random.ts';
import { sampleWindows } from '../src/data/windows.ts';
import { createAdam } from '../src/engine/adam.ts';
import { createHeap } from '../src/engine/heap.ts';
import { loadKernels } from '../src/engine/kernels.ts';
import { placeWeights } from '../src/engine/model-weights.ts';
import { placeFactors } from '../src/engine/place-factors.ts';
import { createTransformer } from '../src/engine/transformer.ts';
import { loadBaseModel } from '../src/model/base-model.ts';

const RANKS = [2, 8, 32];
const STEPS = 40;
const BATCH = 4;
const model = loadBaseModel();
const { config, modules } = model;
const { heads, headSize, hidden, layers, length, vocabulary } = config;
const tokens = BATCH * length;
const text = Buffer.from('The quick brown fox jumps over the lazy dog. '.repeat(20));
const windows = sampleWindows(text, length, BATCH, createSeededRandom(1));
const adapterOf = (rank) => randomAdapter(modules, () => rank, 1, createSeededRandom(rank));

const cpuMs = () => {
  const { system, user } = process.cpuUsage();
  return (user + system) / 1_000;
};
/** The median of STEPS steps, and the first. */
function timed(step) {
  const times = [];
  let last;
  for (let i = 0; i < STEPS; i++) {
    const start = cpuMs();
    last = step();
    times.push(cpuMs() - start);
  }
  const first = times[0];
  return { first, median: times.sort((a, b) => a - b)[STEPS / 2], last };
}
const report = (name, rank, { first, median, last }) =>
  console.log(
    `${name}  rank ${rank}  ${median.toFixed(1)} ms a step, the first ${first.toFixed(0)} ms, loss ${last.toFixed(6)}`,
  );

for (const rank of RANKS) {
  const { kernels, memory } = loadKernels();
  const heap = createHeap(memory);
  const weights = placeWeights(kernels, heap, model);
  const placed = placeFactors(kernels, heap, adapterOf(rank));
  const net = createTransformer(kernels, heap, {
    config,
    weights,
    factors: placed.factors,
    blockGradient: null,
    batch: BATCH,
  });
  const adam = createAdam(kernels, heap, placed.block);
  const step = () => {
    const { nats, targets } = net.forward(windows.inputs, windows.targets);
    net.backward();
    adam.step(0);
    placed.refresh();
    return nats / targets;
  };
  report('own gradients', rank, timed(step));
}

const [library] = process.argv.slice(2);
if (library === undefined) process.exit(0);
const { defaultDevice, init, jit, nn, numpy: np, tree, valueAndGrad } = await import(pathToFileURL(library).href);
await init();
defaultDevice('wasm');
const array = (data, shape) => np.array(Float32Array.from(data)).reshape(shape);
const tensor = (name) => array(model.tensors.get(name).data, model.tensors.get(name).shape);
const oneHot = (ids) => {
  const rows = new Float32Array(tokens * vocabulary);
  ids.forEach((id, i) => {
    rows[i * vocabulary + id] = 1;
  });
  return array(rows, [tokens, vocabulary]);
};
const angle = (i) => Math.floor(i / headSize) * config.ropeTheta ** (-(i % (headSize / 2)) / (headSize / 2));
const table = (f) =>
  array(
    Float32Array.from({ length: length * headSize }, (_, i) => f(angle(i))),
    [1, length, 1, headSize],
  );
const causal = Float32Array.from({ length: length * length }, (_, i) =>
  i % length > Math.floor(i / length) ? -1e9 : 0,
);
const frozen = {
  tensors: Object.fromEntries([...model.tensors.keys()].map((name) => [name, tensor(name)])),
  inputs: oneHot(windows.inputs),
  targets: oneHot(windows.targets),
  cos: table(Math.cos),
  sin: table(Math.sin),
  mask: array(causal, [1, 1, length, length]),
};

// `.ref` counts a further use of an array: the library has no other way to know when memory is free.
function loss(factors, { tensors: w, inputs, targets, cos, sin, mask }) {
  const linear = (x, name) => {
    const { a, b } = factors[name];
    const low = np.matmul(np.matmul(x.ref, np.transpose(a)), np.transpose(b));
    return np.matmul(x, np.transpose(w[`${name}.weight`])).add(low);
  };
  const norm = (x, name) => {
    const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
    return x.div(np.sqrt(mean.add(config.normEpsilon))).mul(w[`${name}.weight`]);
  };
  const split = (x) => x.reshape([BATCH, length, heads, headSize]);
  const rotate = (x) => {
    const a = x.ref.slice([], [], [], [0, headSize / 2]);
    const b = x.ref.slice([], [], [], [headSize / 2, headSize]);
    return x.mul(cos.ref).add(np.concatenate([b.mul(-1), a], -1).mul(sin.ref));
  };
  let x = np.matmul(inputs, w['model.embed_tokens.weight']);
  for (let layer = 0; layer < layers; layer++) {
    const name = `model.layers.${layer}`;
    const h = norm(x.ref, `${name}.input_layernorm`);
    const q = rotate(split(linear(h.ref, `${name}.self_attn.q_proj`)));
    const k = rotate(split(linear(h.ref, `${name}.self_attn.k_proj`)));
    const v = split(linear(h, `${name}.self_attn.v_proj`));
    const scores = np
      .einsum('bqhd,bkhd->bhqk', q, k)
      .mul(1 / Math.sqrt(headSize))
      .add(mask.ref);
    const mixed = np.einsum('bhqk,bkhd->bqhd', nn.softmax(scores, -1), v).reshape([tokens, hidden]);
    x = x.add(linear(mixed, `${name}.self_attn.o_proj`));
    const m = norm(x.ref, `${name}.post_attention_layernorm`);
    const gate = nn.silu(linear(m.ref, `${name}.mlp.gate_proj`));
    x = x.add(linear(gate.mul(linear(m, `${name}.mlp.up_proj`)), `${name}.mlp.down_proj`));
  }
  for (const each of [cos, sin, mask]) each.dispose();
  const logits = linear(norm(x, 'model.norm'), 'lm_head');
  return nn
    .logSoftmax(logits, -1)
    .mul(targets)
    .sum()
    .mul(-1 / tokens);
}

const gradient = jit(valueAndGrad(loss));
const run = (factors) => {
  const [value, gradients] = gradient(tree.ref(factors), tree.ref(frozen));
  const read = tree.leaves(gradients).map((leaf) => leaf.dataSync());
  return { loss: value.dataSync()[0], gradients: read };
};
const factorsOf = (rank, factor = 1) =>
  Object.fromEntries(
    [...adapterOf(rank)].map(([name, { a, b, in: width, out }]) => [
      name,
      {
        a: array(
          a.map((value) => value * factor),
          [rank, width],
        ),
        b: array(b, [out, rank]),
      },
    ]),
  );
for (const rank of RANKS) {
  const factors = factorsOf(rank);
  report(
    '@jax-js/jax (no optimiser)',
    rank,
    timed(() => run(factors).loss),
  );
}
const good = factorsOf(8);
const [before, poisoned] = [run(good), run(factorsOf(8, 1e30))];
const after = run(good);
const same = before.gradients.every((values, i) => values.every((value, j) => value === after.gradients[i][j]));
console.log(
  `@jax-js/jax  after a loss of ${poisoned.loss} the same step gives ${same ? 'the same' : 'other'} gradients`,
);
const resident = () => Math.round(process.memoryUsage().rss / 1e6);
const start = resident();
for (let rank = 33; rank < 43; rank++) run(factorsOf(rank));
console.log(`@jax-js/jax  ten further ranks take memory from ${start} to ${resident()} MB`);
