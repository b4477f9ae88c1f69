import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  type AdapterModule,
  BASE_MODEL_DIR,
  baseModelModules,
  createEmbeddedTrainer,
  diagnosticsText,
  writeAdapter,
} from '@flexlora/embedded-trainer';
import { findPeftPython } from '../../harness/peft-python.ts';

/** Tokens of a window: what the base model looks back, and the one that is predicted. */
const LENGTH = 64;

const { python, skip } = findPeftPython();

interface Checked {
  readonly tokens: number;
  readonly base_loss: number;
  readonly adapters: readonly {
    readonly loss: number;
    readonly ranks: Readonly<Record<string, number>>;
    readonly scalings: Readonly<Record<string, number>>;
  }[];
}

const CASES = [
  { scaling: 'alphaOverRank', alpha: 16, factor: (rank: number) => 16 / rank },
  { scaling: 'alphaOverSqrtRank', alpha: 6, factor: (rank: number) => 6 / Math.sqrt(rank) },
  { scaling: 'constant', alpha: 2, factor: () => 2 },
] as const;
const CORPUS = { corpus: 'typescript-diagnostics', languages: ['de', 'ja'] };
const HELD_OUT_BYTES = 1_500;

test('PEFT computes the losses that the trainer computes: mixed ranks, every scaling', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flexlora-peft-'));
  const trainer = createEmbeddedTrainer({ threads: 1 });
  after(async () => {
    await trainer.close();
    rmSync(folder, { recursive: true });
  });
  const adapter = startAdapter();
  const ranks = Object.fromEntries([...adapter].map(([name, { rank }]) => [name, rank]));
  const data = { ...CORPUS, split: 'held-out', bytes_max: HELD_OUT_BYTES };
  const base = await trainer.evaluate({ adapterIn: null, data });
  const ours: { readonly loss: number; readonly tokens: number }[] = [];
  for (const { scaling, alpha } of CASES) {
    const [adapterIn, adapterOut] = [join(folder, `${scaling}-start`), join(folder, scaling)];
    writeAdapter(adapterIn, adapter, { kind: scaling, alpha });
    const training = { steps: 12, batchSize: 4, learningRate: 5e-3, seed: 3, data: { ...CORPUS, split: 'train' } };
    await trainer.train({ adapterIn, adapterOut, ranks, alpha, scaling, ...training });
    ours.push(await trainer.evaluate({ adapterIn: adapterOut, data }));
  }

  writeFileSync(join(folder, 'tokens.json'), JSON.stringify({ windows: heldOutWindows() }));
  const script = join(import.meta.dirname, 'check_adapter.py');
  const args = [
    script,
    BASE_MODEL_DIR,
    join(folder, 'tokens.json'),
    ...CASES.map(({ scaling }) => join(folder, scaling)),
  ];
  const theirs = JSON.parse(execFileSync(python, args, { encoding: 'utf8', stdio: 'pipe' })) as Checked;

  assert.equal(theirs.tokens, base.tokens);
  assert.ok(Math.abs(theirs.base_loss - base.loss) < 1e-3, `base: PEFT ${theirs.base_loss}, trainer ${base.loss}`);
  for (const [i, { scaling, factor }] of CASES.entries()) {
    const [their, our] = [theirs.adapters[i]!, ours[i]!];
    assert.deepEqual(their.ranks, ranks);
    for (const [name, got] of Object.entries(their.scalings))
      assert.ok(Math.abs(got / factor(ranks[name]!) - 1) < 1e-9, `${scaling}: ${name} has scaling ${got} in PEFT`);
    assert.ok(Math.abs(their.loss - our.loss) < 1e-3, `${scaling}: PEFT ${their.loss}, trainer ${our.loss}`);
    // Far enough from the base that an adapter without effect would be noticed.
    assert.ok(base.loss - our.loss > 0.3, `${scaling}: the loss went from ${base.loss} to ${our.loss}`);
  }
});

/** The bytes of CORPUS as the trainer's evaluation cuts them. */
function heldOutWindows(): readonly (readonly number[])[] {
  const text = Buffer.concat([
    diagnosticsText('de', 'held-out', HELD_OUT_BYTES),
    diagnosticsText('ja', 'held-out', HELD_OUT_BYTES),
  ]);
  const windows: number[][] = [];
  for (let at = 0; at < text.length - 1; at += LENGTH) windows.push([...text.subarray(at, at + LENGTH + 1)]);
  return windows;
}

/** Ranks 2, 4, 6, 8, 12 in turn; every third module is left alone. */
function startAdapter(): ReadonlyMap<string, AdapterModule> {
  const chosen = baseModelModules().filter((_, i) => i % 3 !== 2);
  return new Map(
    chosen.map(({ name, out, in: width }, i) => {
      const rank = [2, 4, 6, 8, 12][i % 5]!;
      const a = Float32Array.from({ length: rank * width }, (_, j) => Math.sin(j * 78.233 + i) / Math.sqrt(width));
      return [name, { out, in: width, rank, scaling: 1, a, b: new Float32Array(out * rank) }];
    }),
  );
}
