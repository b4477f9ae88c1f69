import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NO_TARGET } from '../engine/transformer.ts';
import { DIAGNOSTICS_LANGUAGES, diagnosticsSizes, diagnosticsText, splitOf } from './diagnostics-corpus.ts';
import { readData } from './read-data.ts';
import { createSeededRandom } from './seeded-random.ts';
import { consecutiveWindows, countWindows, sampleWindows } from './windows.ts';

const folder = mkdtempSync(join(tmpdir(), 'flexlora-data-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): { readonly file: string } => {
  writeFileSync(join(folder, name), text);
  return { file: join(folder, name) };
};
const read = (data: unknown): string => Buffer.from(readData(data)).toString('utf8');

test('a tenth of the keys is held out, and which ones does not change', () => {
  assert.equal(splitOf('Identifier_expected_1003'), 'train');
  assert.equal(splitOf('A_0_parameter_must_be_the_first_parameter_2680'), 'train');
  for (const { language, trainBytes, heldOutBytes } of diagnosticsSizes()) {
    const share = heldOutBytes / (trainBytes + heldOutBytes);
    assert.ok(share > 0.08 && share < 0.12, `${language}: ${share}`);
  }
});

test('the splits of a language share no message', () => {
  for (const language of DIAGNOSTICS_LANGUAGES) {
    const messages = (split: 'train' | 'held-out') =>
      Buffer.from(diagnosticsText(language, split)).toString().split('\n');
    const heldOut = new Set(messages('held-out').filter((message) => message.length > 40));
    const shared = messages('train').filter((message) => heldOut.has(message));
    // Different keys may have the same text; no more than that.
    assert.ok(shared.length <= 2, `${language}: ${shared.join('; ')}`);
  }
});

test('a limit of bytes gives the beginning of the same text, in whole messages', () => {
  const whole = Buffer.from(diagnosticsText('ru', 'held-out'));
  const part = Buffer.from(diagnosticsText('ru', 'held-out', 2_048));
  assert.ok(part.length >= 2_048 && part.length < 3_000);
  assert.deepEqual(whole.subarray(0, part.length), part);
  assert.equal(whole[part.length], 10);
});

test('texts of one file, of lines, and of languages', () => {
  assert.equal(read(file('a.txt', 'one\ntwo')), '\none\ntwo');
  assert.equal(read(file('a.jsonl', '"one"\n\n{"text": "zwei\\ndrei", "x": 1}\n')), '\none\nzwei\ndrei');
  const corpus = { corpus: 'typescript-diagnostics', languages: ['de', 'ja'], split: 'held-out', bytes_max: 1 };
  assert.equal(read(corpus).split('\n').length, 3);
});

test('data that cannot be read is refused with what is allowed', () => {
  const corpus = { corpus: 'typescript-diagnostics', languages: ['de'], split: 'train' };
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /allowed is \{"corpus"/],
    [{ corpus: 'wikipedia' }, /fields corpus; allowed/],
    [{ ...corpus, languages: ['en'] }, /allowed are one or more of cs, de/],
    [{ ...corpus, languages: [] }, /allowed are one or more/],
    [{ ...corpus, split: 'test' }, /"train" and "held-out"/],
    [{ ...corpus, bytes_max: 0 }, /a positive integer/],
    [{ file: 'x.pdf' }, /allowed are .txt and .jsonl/],
    [{ file: join(folder, 'missing.txt') }, /could not be read/],
    [file('b.jsonl', '"ok"\n{"words": 1}'), /line 2 is neither/],
  ];
  for (const [data, message] of cases) assert.throws(() => readData(data), { code: 'bad_data', message });
});

test('consecutive windows predict every byte but the first, once', () => {
  const text = Uint8Array.from({ length: 103 }, (_, i) => i);
  const predicted: number[] = [];
  for (const { inputs, targets } of consecutiveWindows(text, 8, 4)) {
    targets.forEach((target, i) => {
      if (target === NO_TARGET) return;
      assert.equal(inputs[i], target - 1);
      predicted.push(target);
    });
  }
  assert.deepEqual(predicted, [...text.subarray(1)]);
});

test('sampled windows reach both ends of the text and depend on the seed', () => {
  const text = Uint8Array.from({ length: 12 }, (_, i) => i);
  const starts = new Set<number>();
  const random = createSeededRandom(1);
  for (let i = 0; i < 200; i++) {
    const { inputs, targets } = sampleWindows(text, 8, 1, random);
    assert.deepEqual(
      [...targets],
      [...inputs].map((byte) => byte + 1),
    );
    starts.add(inputs[0]!);
  }
  assert.deepEqual([...starts].sort(), [0, 1, 2, 3]);
  const draw = (seed: number) => sampleWindows(diagnosticsText('de', 'train'), 8, 4, createSeededRandom(seed)).inputs;
  assert.deepEqual(draw(5), draw(5));
  assert.notDeepEqual(draw(5), draw(6));
  assert.notDeepEqual(draw(5), draw(5 + 2 ** 40));
});

test('a text of less than one window is refused', () => {
  assert.equal(countWindows(new Uint8Array(9), 8), 1);
  assert.throws(() => countWindows(new Uint8Array(8), 8), { code: 'bad_data', message: /at least 9/ });
});

test('uniform numbers are uniform and normal ones normal', () => {
  const random = createSeededRandom(42);
  const count = 20_000;
  const uniform = Array.from({ length: count }, () => random.uniform());
  const normal = Array.from({ length: count }, () => random.normal());
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / count;
  assert.ok(Math.abs(mean(uniform) - 0.5) < 0.01);
  assert.ok(Math.abs(mean(normal)) < 0.03);
  assert.ok(Math.abs(mean(normal.map((value) => value * value)) - 1) < 0.04);
  for (let bucket = 0; bucket < 10; bucket++) {
    const hits = uniform.filter((value) => Math.floor(value * 10) === bucket).length;
    assert.ok(Math.abs(hits - count / 10) < 200, `bucket ${bucket}: ${hits}`);
  }
});
