import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LINE_BYTES_MAX } from './limits.ts';
import { splitLines } from './protocol-lines.ts';

async function split(chunks: readonly Uint8Array[]): Promise<(string | null)[]> {
  const lines: (string | null)[] = [];
  async function* input(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }
  for await (const line of splitLines(input())) lines.push(line);
  return lines;
}

test('lines do not depend on how the bytes are cut, also within a character', async () => {
  const text = Buffer.from('{"a":"ü"}\n\n  \r\n日本\nlast');
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat({ max: text.length })), async (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), text.length];
      const chunks = places.slice(1).map((end, i) => text.subarray(places[i], end));
      assert.deepEqual(await split(chunks), ['{"a":"ü"}', '日本', 'last']);
    }),
  );
});

test('a line at the limit is kept, one byte more is not, and the next is read', async () => {
  const whole = 'x'.repeat(LINE_BYTES_MAX);
  const lines = await split([Buffer.from(whole), Buffer.from('\n'), Buffer.from(whole), Buffer.from('x\nnext\n')]);
  assert.deepEqual(
    lines.map((line) => (line !== null && line.length > 10 ? line.length : line)),
    [LINE_BYTES_MAX, null, 'next'],
  );
});
