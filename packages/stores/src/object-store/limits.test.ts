import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertCompletable, assertPart, assertRange, cutRange, PARTS_MAX } from './limits.ts';
import { ObjectStoreFault, PART_BYTES_MIN } from './port.ts';

test('part numbers and ranges out of bounds are stopped', () => {
  assertPart(1);
  assertPart(PARTS_MAX);
  for (const part of [0, PARTS_MAX + 1, 1.5, Number.NaN]) assert.throws(() => assertPart(part), RangeError);
  assertRange({ start: 3, end: 3 });
  for (const range of [
    { start: -1 },
    { start: 2, end: 1 },
    { start: 0.5 },
    { start: 0, end: Number.POSITIVE_INFINITY },
  ])
    assert.throws(() => assertRange(range), RangeError);
});

test('a range past the end is cut to the end', () => {
  assert.deepEqual(cutRange(undefined, 10), { start: 0, end: 10 });
  assert.deepEqual(cutRange({ start: 4 }, 10), { start: 4, end: 10 });
  assert.deepEqual(cutRange({ start: 4, end: 40 }, 10), { start: 4, end: 10 });
  assert.deepEqual(cutRange({ start: 40, end: 50 }, 10), { start: 10, end: 10 });
});

test('an upload without parts, or with a small part before its last, cannot be completed', () => {
  assert.throws(() => assertCompletable('x', []), ObjectStoreFault);
  const small = { part: 1, bytes: PART_BYTES_MIN - 1 };
  assertCompletable('x', [small]);
  assertCompletable('x', [
    { part: 1, bytes: PART_BYTES_MIN },
    { part: 2, bytes: 0 },
  ]);
  assert.throws(() => assertCompletable('x', [small, { part: 2, bytes: 1 }]), /part 1 .* 5242879 bytes/);
});
