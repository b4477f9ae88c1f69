import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SCRIPTED_MODULES } from './scripted-modules.ts';
import { createScriptedTrainer, drawAdapter, type TrainingLine } from './scripted-trainer.ts';

const scratch = mkdtempSync(join(tmpdir(), 'flexlora-scripted-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const request = (name: string, change: { readonly seed?: number } = {}) => ({
  adapterIn: scratch,
  adapterOut: join(scratch, name),
  ranks: Object.fromEntries(SCRIPTED_MODULES.map(({ name: module }) => [module, 2])),
  alpha: 1,
  scaling: 'constant' as const,
  steps: 2,
  batchSize: 1,
  learningRate: 0.1,
  seed: 5,
  data: { samples: 7, milliseconds: 2, journal: join(scratch, 'journal'), roundsFile: join(scratch, 'rounds') },
  ...change,
});
const journal = (): readonly TrainingLine[] =>
  readFileSync(join(scratch, 'journal'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TrainingLine);

test('an update depends on the seed and on every byte of the adapter that it starts from', async () => {
  const bytesOf = (seed: number, adapterIn: string): string =>
    JSON.stringify([...(drawAdapter(request('x', { seed }), adapterIn).values().next().value?.a.slice(0, 8) ?? [])]);
  assert.equal(bytesOf(1, 'a'), bytesOf(1, 'a'));
  assert.notEqual(bytesOf(1, 'a'), bytesOf(2, 'a'));
  assert.notEqual(bytesOf(1, 'a'), bytesOf(1, 'b'));
  assert.match(bytesOf(1, 'a'), /^\[-?0\.\d+,/);
});

test('a training waits until its round is let through, and the journal tells when it began and ended', async () => {
  writeFileSync(join(scratch, 'adapter_model.safetensors'), 'an adapter');
  writeFileSync(join(scratch, 'rounds'), '2');
  const trainer = createScriptedTrainer();
  const first = await trainer.train(request('round-00000002'));
  assert.equal(first.samples, 7);

  let steps = 0;
  const second = trainer.train(request('round-00000003'), {
    // Held, it goes on telling that it lives; the third of these comes after all its steps are done.
    onProgress: () => {
      steps += 1;
      if (steps === 3) writeFileSync(join(scratch, 'rounds'), '3');
    },
  });
  await second;
  assert.ok(steps >= 3);
  assert.deepEqual(
    journal().map(({ what, round }) => [what, round]),
    [
      ['began', 2],
      ['ended', 2],
      ['began', 3],
      ['ended', 3],
    ],
  );
  const [, ended] = journal();
  assert.match(ended?.update ?? '', /^[0-9a-f]{64}$/);
});

test('a held training is cancelled within a step', async () => {
  writeFileSync(join(scratch, 'rounds'), '0');
  const cancel = new AbortController();
  const training = createScriptedTrainer().train(request('round-00000009'), {
    signal: cancel.signal,
    onProgress: () => cancel.abort(),
  });
  await assert.rejects(training, /cancelled/);
});
