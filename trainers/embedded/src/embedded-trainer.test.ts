import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeAdapter } from './adapter/peft-adapter.ts';
import { randomAdapter } from './adapter/random-adapter.ts';
import { DIAGNOSTICS_LANGUAGES } from './data/diagnostics-corpus.ts';
import { createSeededRandom } from './data/seeded-random.ts';
import { createEmbeddedTrainer } from './embedded-trainer.ts';
import { BASE_MODEL_DIR, baseModelModules } from './model/base-model.ts';
import type { TrainRequest } from './trainer.ts';

const folder = mkdtempSync(join(tmpdir(), 'flexlora-embedded-'));
const trainer = createEmbeddedTrainer({ threads: 2 });
after(async () => {
  await trainer.close();
  rmSync(folder, { recursive: true });
});

const adapter = randomAdapter(baseModelModules(), () => 2, 1, createSeededRandom(1));
const ranks = Object.fromEntries([...adapter].map(([name, { rank }]) => [name, rank]));
writeAdapter(join(folder, 'start'), adapter, { kind: 'constant', alpha: 1 });

const request = (name: string, change: Partial<TrainRequest> = {}): TrainRequest => ({
  adapterIn: join(folder, 'start'),
  adapterOut: join(folder, name),
  ranks,
  alpha: 1,
  scaling: 'constant',
  steps: 3,
  batchSize: 4,
  learningRate: 5e-3,
  seed: 5,
  data: { corpus: 'typescript-diagnostics', languages: ['fr'], split: 'train' },
  ...change,
});
const bytesOf = (name: string): Buffer => readFileSync(join(folder, name, 'adapter_model.safetensors'));

test('hello names the base by the digest of its weights, which stay under 2 MB', async () => {
  const ready = await trainer.hello();
  const file = join(BASE_MODEL_DIR, 'model.safetensors');
  assert.equal(ready.baseDigest, createHash('sha256').update(readFileSync(file)).digest('hex'));
  assert.ok(statSync(file).size < 2e6);
  assert.deepEqual(ready.modules, baseModelModules());
  assert.deepEqual(ready.modules.at(0), { name: 'model.layers.0.self_attn.q_proj', out: 128, in: 128 });
  assert.deepEqual(ready.modules.at(-1), { name: 'lm_head', out: 256, in: 128 });
});

test('five requests over two threads give what each gives alone', async () => {
  const seeds = [1, 2, 1, 2, 1];
  await Promise.all(seeds.map((seed, i) => trainer.train(request(`together-${i}`, { seed }))));
  for (const seed of [1, 2]) await trainer.train(request(`alone-${seed}`, { seed }));
  seeds.forEach((seed, i) => {
    assert.deepEqual(bytesOf(`together-${i}`), bytesOf(`alone-${seed}`));
  });
});

test('one adapter of rank 8 learns thirteen languages in 150 steps: the held-out loss falls by more than 3 nats per byte', async () => {
  const corpus = { corpus: 'typescript-diagnostics', languages: DIAGNOSTICS_LANGUAGES };
  const heldOut = { ...corpus, split: 'held-out', bytes_max: 1_024 };
  const initial = randomAdapter(baseModelModules(), () => 8, 1, createSeededRandom(2));
  const zeroed = new Map([...initial].map(([name, module]) => [name, { ...module, b: module.b.fill(0) }]));
  writeAdapter(join(folder, 'rank-8'), zeroed, { kind: 'constant', alpha: 1 });
  const before = await trainer.evaluate({ adapterIn: join(folder, 'rank-8'), data: heldOut });
  const eights = Object.fromEntries(Object.keys(ranks).map((name) => [name, 8]));
  const data = { ...corpus, split: 'train' };
  await trainer.train(request('learned', { adapterIn: join(folder, 'rank-8'), ranks: eights, steps: 150, data }));
  const after = await trainer.evaluate({ adapterIn: join(folder, 'learned'), data: heldOut });
  assert.ok(before.loss - after.loss > 3, `from ${before.loss} to ${after.loss}`);
});

test('abort reaches a request in work, one that waits, and one that is asked for too late', async () => {
  const own = createEmbeddedTrainer({ threads: 1 });
  const controllers = [new AbortController(), new AbortController()] as const;
  const started = Promise.withResolvers<void>();
  const busy = own.train(request('busy', { steps: 1_000_000 }), {
    signal: controllers[0].signal,
    onProgress: () => started.resolve(),
  });
  const waiting = own.train(request('waiting'), { signal: controllers[1].signal });
  await started.promise;
  controllers[1].abort();
  await assert.rejects(waiting, { code: 'cancelled' });
  controllers[0].abort();
  await assert.rejects(busy, { code: 'cancelled' });
  await assert.rejects(own.train(request('late'), { signal: AbortSignal.abort() }), { code: 'cancelled' });
  for (const name of ['busy', 'waiting', 'late']) assert.ok(!existsSync(join(folder, name)), name);
  await own.train(request('next'));
  await own.close();
});

test('close ends what is in work and what waits', async () => {
  const own = createEmbeddedTrainer({ threads: 1 });
  const started = Promise.withResolvers<void>();
  const busy = own.train(request('closed', { steps: 1_000_000 }), { onProgress: () => started.resolve() });
  const waiting = own.evaluate({ adapterIn: null, data: {} });
  const both = Promise.allSettled([busy, waiting]);
  await started.promise;
  await own.close();
  for (const outcome of await both) {
    assert.equal(outcome.status, 'rejected');
    assert.equal((outcome as PromiseRejectedResult).reason.code, 'cancelled');
  }
  await assert.rejects(own.probe({ ranks: [1] }), { code: 'cancelled' });
});

test('a request that cannot be is refused by name before a thread is bothered', async () => {
  await assert.rejects(trainer.train(request('x', { batchSize: 65 })), {
    code: 'bad_request',
    message: 'batch_size is 65; needed is an integer from 1 to 64',
  });
  await assert.rejects(trainer.train(request('x', { ranks: { lm_head: 0 } })), {
    code: 'bad_request',
    message: /^ranks is/,
  });
  await assert.rejects(trainer.probe({ ranks: [] }), { code: 'bad_request', message: /^ranks is \[\]/ });
  await assert.rejects(trainer.evaluate({ adapterIn: '', data: {} }), { code: 'bad_request', message: /^adapter_in/ });
  assert.throws(() => createEmbeddedTrainer({ threads: 0 }), /threads is 0; allowed/);
});
