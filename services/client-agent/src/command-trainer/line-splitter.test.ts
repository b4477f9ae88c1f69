import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLineSplitter } from './line-splitter.ts';

const LINE_MAX = 30;
const line = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((text) => !text.includes('\n'));

test('lines come out whole however the bytes are cut, also within a character', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat({ max: 200 }), { maxLength: 8 }), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      fc.pre(lines.every((text) => Buffer.byteLength(text) <= LINE_MAX));
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const splitter = createLineSplitter(LINE_MAX);
      const got = places.slice(1).flatMap((end, index) => {
        const answer = splitter.push(bytes.subarray(places[index], end));
        assert.ok(answer !== 'tooLong');
        return answer;
      });
      assert.deepEqual(got, lines);
    }),
  );
});

test('a line of the limit passes, one byte more does not, in one piece or in many', () => {
  const longest = 'x'.repeat(LINE_MAX);
  assert.deepEqual(createLineSplitter(LINE_MAX).push(Buffer.from(`${longest}\n`)), [longest]);
  assert.equal(createLineSplitter(LINE_MAX).push(Buffer.from(`${longest}x`)), 'tooLong');
  const splitter = createLineSplitter(LINE_MAX);
  for (const _ of longest) assert.deepEqual(splitter.push(Buffer.from('x')), []);
  assert.equal(splitter.push(Buffer.from('x')), 'tooLong');
});
