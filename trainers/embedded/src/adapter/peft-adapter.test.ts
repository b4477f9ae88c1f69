import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { scalingFactor } from '@flexlora/core/peft';
import { createSeededRandom } from '../data/seeded-random.ts';
import { smallModel } from '../testing/small-model.ts';
import { TrainerError } from '../trainer-error.ts';
import { type AdapterModule, type PeftScaling, readAdapter, writeAdapter } from './peft-adapter.ts';
import { randomAdapter } from './random-adapter.ts';
import { encodeSafetensors, type Tensor } from './safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'flexlora-adapter-'));
after(() => rmSync(folder, { recursive: true }));
const { modules } = smallModel(1);
const FILE = { kind: 'file' } as const;

/** Ranks 1, 2, 3, 4, 1, … and none on the head. */
function mixedAdapter(scaling: PeftScaling): ReadonlyMap<string, AdapterModule> {
  let next = 0;
  const rankOf = (name: string): number | null => (name === 'lm_head' ? null : (next++ % 4) + 1);
  const adapter = randomAdapter(modules, ({ name }) => rankOf(name), 1, createSeededRandom(2));
  return new Map(
    [...adapter].map(([name, own]) => [
      name,
      { ...own, scaling: scalingFactor(scaling.kind, scaling.alpha, own.rank) },
    ]),
  );
}

for (const kind of ['alphaOverRank', 'alphaOverSqrtRank', 'constant'] as const) {
  test(`an adapter of mixed ranks with scaling ${kind} is read as it was written`, () => {
    const scaling = { kind, alpha: 12 };
    const adapter = mixedAdapter(scaling);
    const directory = join(folder, kind);
    writeAdapter(directory, adapter, scaling);
    const read = readAdapter(directory, modules, FILE);
    assert.deepEqual([...read.keys()], [...adapter.keys()]);
    for (const [name, own] of adapter) {
      const { scaling: got, ...rest } = read.get(name)!;
      const { scaling: expected, ...others } = own;
      assert.deepEqual(rest, others);
      assert.ok(Math.abs(got / expected - 1) < 1e-12, `${name}: ${got} for ${expected}`);
    }
    assert.deepEqual(readdirSync(directory).sort(), ['adapter_config.json', 'adapter_model.safetensors']);
  });
}

test('an adapter that cannot be written leaves nothing behind', () => {
  const blocker = join(folder, 'blocker');
  mkdirSync(blocker);
  writeFileSync(join(blocker, 'own'), 'x');
  assert.throws(
    () => writeAdapter(blocker, mixedAdapter({ kind: 'constant', alpha: 1 }), { kind: 'constant', alpha: 1 }),
    {
      code: 'internal',
    },
  );
  assert.deepEqual(readdirSync(blocker), ['own']);
  assert.ok(!existsSync(join(folder, '.blocker.partial')));
});

const A = (rank: number, width: number): Tensor => ({ shape: [rank, width], data: new Float32Array(rank * width) });
const NAME = 'base_model.model.lm_head.lora';
const faults: readonly (readonly [string, Record<string, Tensor>, RegExp])[] = [
  ['no tensors', {}, /has no tensors/],
  ['one factor alone', { [`${NAME}_A.weight`]: A(2, 32) }, /no lora_B/],
  [
    'another rank in B',
    { [`${NAME}_A.weight`]: A(2, 32), [`${NAME}_B.weight`]: A(48, 3) },
    /needed are r × 32 and 48 × r/,
  ],
  ['another width', { [`${NAME}_A.weight`]: A(2, 31), [`${NAME}_B.weight`]: A(48, 2) }, /needed are r × 32/],
  ['a strange tensor', { 'lm_head.weight': A(2, 2) }, /is not a LoRA factor/],
  [
    'a strange module',
    { 'base_model.model.x.lora_A.weight': A(2, 2), 'base_model.model.x.lora_B.weight': A(2, 2) },
    /module x is not one of the model's/,
  ],
  [
    'NaN',
    {
      [`${NAME}_A.weight`]: { shape: [1, 32], data: new Float32Array(32).fill(Number.NaN) },
      [`${NAME}_B.weight`]: A(48, 1),
    },
    /NaN or infinity/,
  ],
];
for (const [fault, tensors, message] of faults) {
  test(`an adapter with ${fault} is refused`, () => {
    const directory = mkdtempSync(join(folder, 'bad-'));
    writeFileSync(
      join(directory, 'adapter_model.safetensors'),
      encodeSafetensors(new Map(Object.entries(tensors)), 'F32'),
    );
    assert.throws(
      () => readAdapter(directory, modules, { kind: 'given', of: () => 1 }),
      (error: unknown) => error instanceof TrainerError && error.code === 'bad_adapter' && message.test(error.message),
    );
  });
}

test('a configuration that PEFT would read otherwise is refused', () => {
  const scaling = { kind: 'alphaOverRank', alpha: 8 } as const;
  const directory = join(folder, 'config');
  writeAdapter(directory, mixedAdapter(scaling), scaling);
  const file = join(directory, 'adapter_config.json');
  const whole = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const refused = (change: Record<string, unknown>, message: RegExp): void => {
    writeFileSync(file, JSON.stringify({ ...whole, ...change }));
    assert.throws(() => readAdapter(directory, modules, FILE), message);
  };
  refused({ rank_pattern: {} }, /gives .* rank \d, and its tensors have rank \d/);
  refused({ use_dora: true }, /use_dora .* is true; allowed: off/);
  refused({ fan_in_fan_out: true }, /fan_in_fan_out .* is true; allowed: false/);
  refused({ peft_type: 'IA3' }, /peft_type .* is "IA3"; allowed: "LORA"/);
  refused({ lora_alpha: 'x' }, /lora_alpha .* is "x"; allowed: a number above 0/);
  refused({ use_rslora: 1 }, /use_rslora .* is 1; allowed: true/);
  writeFileSync(file, '{');
  assert.throws(() => readAdapter(directory, modules, FILE), /is not JSON/);
});

test('a pattern key is the regular expression that PEFT takes it for: it matched nothing here', () => {
  const directory = join(folder, 'patterns');
  const scaling = { kind: 'alphaOverRank', alpha: 8 } as const;
  writeAdapter(
    directory,
    randomAdapter(modules, () => 2, 1, createSeededRandom(3)),
    scaling,
  );
  const file = join(directory, 'adapter_config.json');
  const whole = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const patterns = {
    r: 4,
    rank_pattern: { '.*': 2 },
    alpha_pattern: { 'layers\\.[1-9]\\..*_proj': 20, '^lm_head': 6 },
  };
  writeFileSync(file, JSON.stringify({ ...whole, ...patterns }));
  const read = readAdapter(directory, modules, FILE);
  const scalings = [...read].map(([name, own]) => [name, own.scaling]);
  assert.deepEqual(
    scalings,
    modules.map(({ name }) => [name, name === 'lm_head' ? 3 : name.includes('layers.1.') ? 10 : 4]),
  );
});
