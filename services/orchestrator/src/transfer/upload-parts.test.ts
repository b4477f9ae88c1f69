import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredPart } from '@flexlora/stores';
import fc from 'fast-check';
import { PART_BYTES } from '../limits.ts';
import { durableOffset, isPartBoundary, partBytesAt, partNumberAt } from './upload-parts.ts';

const fileBytes = fc.integer({ min: 1, max: 5 * PART_BYTES + 7 });

/** The parts of a whole file, as a stream from 0 writes them. */
function partsOf(bytes: number): StoredPart[] {
  const parts: StoredPart[] = [];
  for (let at = 0; at < bytes; at += PART_BYTES) parts.push({ part: partNumberAt(at), bytes: partBytesAt(at, bytes) });
  return parts;
}

test('the parts of a file are numbered from 1 and cover it', () => {
  fc.assert(
    fc.property(fileBytes, (bytes) => {
      const parts = partsOf(bytes);
      assert.deepEqual(
        parts.map(({ part }) => part),
        parts.map((_, i) => i + 1),
      );
      assert.equal(durableOffset(parts, bytes), bytes);
    }),
  );
});

test('what follows a missing part is not durable', () => {
  fc.assert(
    fc.property(fileBytes, fc.nat(4), (bytes, missing) => {
      const parts = partsOf(bytes);
      const index = missing % parts.length;
      const offset = durableOffset(
        parts.filter((_, i) => i !== index),
        bytes,
      );
      assert.equal(offset, index * PART_BYTES);
      assert.ok(isPartBoundary(offset, bytes));
    }),
  );
});

test('a part of another size than its place asks for is not durable', () => {
  const bytes = 2 * PART_BYTES;
  assert.equal(durableOffset([{ part: 1, bytes: PART_BYTES - 1 }], bytes), 0);
  assert.equal(
    durableOffset(
      [
        { part: 1, bytes: PART_BYTES },
        { part: 2, bytes: 1 },
      ],
      bytes,
    ),
    PART_BYTES,
  );
});
