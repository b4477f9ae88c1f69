import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encodeSafetensors, type Tensor } from '../src/adapter/safetensors.ts';
import { createSeededRandom } from '../src/data/seeded-random.ts';
import { sampleWindows } from '../src/data/windows.ts';
import { createAdam } from '../src/engine/adam.ts';
import { createHeap } from '../src/engine/heap.ts';
import { loadKernels } from '../src/engine/kernels.ts';
import { placeWeights } from '../src/engine/model-weights.ts';
import { createTransformer } from '../src/engine/transformer.ts';
import { BASE_MODEL_DIR } from '../src/model/base-model.ts';
import { linearModules, readModelConfig } from '../src/model/model-config.ts';
import { englishSources } from './english-text.ts';

// Pretrains the base model from nothing on English text, all parameters, and writes it as a Hugging Face directory. See base-model/README.md.
const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '9000' },
    batch: { type: 'string', default: '8' },
    'learning-rate': { type: 'string', default: '0.003' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: BASE_MODEL_DIR },
  },
});
const steps = Number(values.steps);
const batch = Number(values.batch);
const peakRate = Number(values['learning-rate']);
const WARM_UP_STEPS = 200;
const REPORT_EVERY = 250;

const hfConfig = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 256,
  hidden_size: 128,
  intermediate_size: 256,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  hidden_act: 'silu',
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: false,
  bos_token_id: null,
  eos_token_id: null,
  torch_dtype: 'float16',
};
const config = readModelConfig(hfConfig);
const modules = linearModules(config);
const random = createSeededRandom(Number(values.seed));

/** Linear maps and the embedding start as N(0, 0.02²)-like draws scaled to their width, norms as ones. */
function initialTensors(): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const normal = (name: string, out: number, width: number, deviation: number): void => {
    const data = Float32Array.from({ length: out * width }, () => random.normal() * deviation);
    tensors.set(name, { shape: [out, width], data });
  };
  const ones = (name: string): void =>
    void tensors.set(name, { shape: [config.hidden], data: new Float32Array(config.hidden).fill(1) });
  normal('model.embed_tokens.weight', config.vocabulary, config.hidden, 0.1);
  for (const module of modules) normal(`${module.name}.weight`, module.out, module.in, 0.5 / Math.sqrt(module.in));
  for (let layer = 0; layer < config.layers; layer++) {
    ones(`model.layers.${layer}.input_layernorm.weight`);
    ones(`model.layers.${layer}.post_attention_layernorm.weight`);
  }
  ones('model.norm.weight');
  return tensors;
}

const { kernels, memory } = loadKernels();
const heap = createHeap(memory);
const tensors = initialTensors();
const weights = placeWeights(kernels, heap, { config, modules, tensors, digest: '' });
const gradient = heap.allocate(weights.block.count);
const adam = createAdam(kernels, heap, { ...weights.block, gradient });
const net = createTransformer(kernels, heap, { config, weights, factors: new Map(), blockGradient: gradient, batch });

const sources = englishSources();
const text = Buffer.from(sources.map((source) => source.text).join(''));
for (const { package: name, version, licence, what, text: own } of sources)
  console.log(`${name}@${version} (${licence}), ${what}: ${Buffer.byteLength(own)} bytes`);

const started = process.cpuUsage();
let recent = 0;
for (let step = 0; step < steps; step++) {
  const { inputs, targets } = sampleWindows(text, config.length, batch, random);
  const loss = net.forward(inputs, targets);
  net.backward();
  // Linear warm-up, then a half cosine down to a fiftieth.
  const progress = Math.max(0, (step - WARM_UP_STEPS) / (steps - WARM_UP_STEPS));
  const rate = peakRate * Math.min(1, (step + 1) / WARM_UP_STEPS) * (0.51 + 0.49 * Math.cos(Math.PI * progress));
  adam.step(rate);
  weights.refresh();
  recent += loss.nats / loss.targets;
  if ((step + 1) % REPORT_EVERY === 0) {
    const cpu = process.cpuUsage(started);
    console.log(
      `step ${step + 1}  loss ${(recent / REPORT_EVERY).toFixed(4)}  cpu ${((cpu.user + cpu.system) / 1e6).toFixed(0)} s`,
    );
    recent = 0;
  }
}

mkdirSync(values.out, { recursive: true });
const trained = new Map(
  [...tensors].map(([name, { shape }]): [string, Tensor] => [name, { shape, data: weights.read(name) }]),
);
writeFileSync(join(values.out, 'model.safetensors'), encodeSafetensors(trained, 'F16'));
writeFileSync(join(values.out, 'config.json'), `${JSON.stringify(hfConfig, null, 2)}\n`);
