import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sha256Hex } from '@flexlora/core';
import { createHeaderCache } from './header-cache.ts';

const digest = (letter: string): Sha256Hex => letter.repeat(64) as Sha256Hex;
const header = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(bytes);

test('what is kept is found, as it was, until others need its room: the one not asked for the longest goes first', () => {
  const cache = createHeaderCache(10);
  assert.equal(cache.find(digest('a')), null);
  const original = header(4);
  cache.keep(digest('a'), original);
  original.fill(0);
  assert.deepEqual(cache.find(digest('a')), header(4));
  cache.keep(digest('b'), header(5));
  assert.deepEqual(cache.find(digest('a')), header(4));
  cache.keep(digest('c'), header(6));
  assert.deepEqual([cache.find(digest('a')), cache.find(digest('b'))?.byteLength ?? null], [header(4), null]);
  assert.deepEqual(cache.find(digest('c')), header(6));
});

test('a header that is kept again counts once, and one that is larger than the cache is not kept', () => {
  const cache = createHeaderCache(10);
  cache.keep(digest('a'), header(4));
  for (let times = 0; times < 5; times += 1) cache.keep(digest('b'), header(6));
  cache.keep(digest('c'), header(11));
  assert.deepEqual(
    [cache.find(digest('a')), cache.find(digest('b')), cache.find(digest('c'))],
    [header(4), header(6), null],
  );
});
