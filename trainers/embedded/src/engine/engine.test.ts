import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeAdapter } from '../adapter/peft-adapter.ts';
import { randomAdapter } from '../adapter/random-adapter.ts';
import { createSeededRandom } from '../data/seeded-random.ts';
import { loadBaseModel } from '../model/base-model.ts';
import type { TrainerProgress, TrainRequest } from '../trainer.ts';
import { TrainerError } from '../trainer-error.ts';
import { createEngine, type Engine, type EngineHooks } from './engine.ts';

const folder = mkdtempSync(join(tmpdir(), 'flexlora-engine-'));
after(() => rmSync(folder, { recursive: true }));

const model = loadBaseModel();
const scaling = { kind: 'alphaOverRank', alpha: 16 } as const;
const QUIET: EngineHooks = { cancelled: () => false, progress: () => {} };
let nextOut = 1;

const adapter = randomAdapter(model.modules, () => 4, 4, createSeededRandom(1));
const ranks = Object.fromEntries([...adapter].map(([name, { rank }]) => [name, rank]));
writeAdapter(join(folder, 'start'), adapter, scaling);

const request = (change: Partial<TrainRequest> = {}): TrainRequest => ({
  adapterIn: join(folder, 'start'),
  adapterOut: join(folder, `out-${nextOut++}`),
  ranks,
  alpha: scaling.alpha,
  scaling: scaling.kind,
  steps: 6,
  batchSize: 4,
  learningRate: 5e-3,
  seed: 5,
  data: { corpus: 'typescript-diagnostics', languages: ['it'], split: 'train' },
  ...change,
});
const heldOut = { corpus: 'typescript-diagnostics', languages: ['it'], split: 'held-out', bytes_max: 1_000 };

function train(engine: Engine, change: Partial<TrainRequest> = {}): Buffer {
  const own = request(change);
  engine.train(own, QUIET);
  return readFileSync(join(own.adapterOut, 'adapter_model.safetensors'));
}

test('training lowers the loss on what was held out', () => {
  const engine = createEngine(model);
  const before = engine.evaluate({ adapterIn: null, data: heldOut }, QUIET);
  const own = request({ steps: 30 });
  const progress: TrainerProgress[] = [];
  const result = engine.train(own, { ...QUIET, progress: (step) => progress.push(step) });
  const trained = engine.evaluate({ adapterIn: own.adapterOut, data: heldOut }, QUIET);
  assert.ok(trained.loss < before.loss - 0.7, `from ${before.loss} to ${trained.loss}`);
  assert.equal(trained.tokens, before.tokens);
  assert.deepEqual(progress.map(({ done, total }) => [done, total]).at(-1), [30, 30]);
  assert.equal(progress[0]!.loss, result.lossFirst);
  assert.equal(progress.at(-1)!.loss, result.lossLast);
  assert.ok(result.samples > 2_000);
});

test('nothing that came before changes a result: diverged, cancelled, evaluated, or of another size', () => {
  const expected = train(createEngine(model));
  const engine = createEngine(model);
  const lost = request({ learningRate: 1e30 });
  assert.throws(() => engine.train(lost, QUIET), { code: 'diverged' });
  assert.ok(!existsSync(lost.adapterOut));
  assert.deepEqual(train(engine), expected, 'after a diverged request');
  let steps = 0;
  const hooks = { ...QUIET, cancelled: () => ++steps > 3 };
  assert.throws(() => engine.train(request({ steps: 50 }), hooks), { code: 'cancelled' });
  assert.deepEqual(train(engine), expected, 'after a cancelled request');
  engine.evaluate({ adapterIn: null, data: heldOut }, QUIET);
  assert.deepEqual(train(engine), expected, 'after an evaluation');
  engine.probe({ ranks: [64] }, QUIET);
  train(engine, { batchSize: 8 });
  assert.deepEqual(train(engine), expected, 'after other sizes');
});

test('a request that ends in numbers that are not finite writes nothing', () => {
  const own = request({ steps: 1, learningRate: 1e300 });
  assert.throws(() => createEngine(model).train(own, QUIET), { code: 'diverged', message: /after step 1/ });
  assert.ok(!existsSync(own.adapterOut));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('partial')),
    [],
  );
});

test('memory goes back: a thousand small requests need no more than one', () => {
  const engine = createEngine(model);
  const bytes = () => engine.probe({ ranks: [8] }, QUIET).measurements[0]!.memoryBytes;
  const first = bytes();
  for (let i = 0; i < 1_000; i++)
    assert.throws(() => engine.train(request({ data: { file: join(folder, 'none.txt') } }), QUIET), {
      code: 'bad_data',
    });
  assert.throws(() => engine.train(request({ learningRate: 1e30 }), QUIET), { code: 'diverged' });
  assert.equal(bytes(), first);
});

test('a probe says that a larger rank takes more memory', () => {
  const { measurements } = createEngine(model).probe({ ranks: [8, 16, 64] }, QUIET);
  const [small, middle, large] = measurements.map(({ memoryBytes }) => memoryBytes);
  assert.ok(small! < middle! && middle! < large!);
});

test('more than the heap may hold is out_of_memory, and the next request is answered', () => {
  const engine = createEngine(model, { heapBytesMax: 32 << 20 });
  const expected = train(engine);
  const own = request({ batchSize: 64 });
  assert.throws(
    () => engine.train(own, QUIET),
    (error: unknown) =>
      error instanceof TrainerError &&
      error.code === 'out_of_memory' &&
      error.peakBytes !== null &&
      error.peakBytes > 8e6,
  );
  assert.ok(!existsSync(own.adapterOut));
  assert.deepEqual(train(engine), expected);
});
