import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { batchesOf } from './batches.ts';

const split = (sizes: readonly number[], bytesMax: number) => batchesOf(sizes, (bytes) => bytes, bytesMax);

test('a batch is filled to its bound, and an item above the bound is one alone', () => {
  assert.deepEqual(split([2, 2, 2, 9, 1, 3, 1], 4), [[2, 2], [2], [9], [1, 3], [1]]);
  assert.deepEqual(split([], 4), []);
});

test('batches are in order and complete, within the bound, and none could take the next item', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.integer({ min: 1, max: 30 }), (sizes, bytesMax) => {
      const batches = split(sizes, bytesMax);
      const total = (batch: readonly number[]) => batch.reduce((sum, bytes) => sum + bytes, 0);
      assert.deepEqual(batches.flat(), sizes);
      for (const [i, batch] of batches.entries()) {
        assert.ok(batch.length > 0 && (batch.length === 1 || total(batch) <= bytesMax));
        if (i > 0) assert.ok(total(batches[i - 1]!) + batch[0]! > bytesMax);
      }
    }),
  );
});
