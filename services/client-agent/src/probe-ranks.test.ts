import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RANK_MAX } from '@flexlora/core';
import fc from 'fast-check';
import { PROBE_RANKS } from './limits.ts';
import { probeRanks } from './probe-ranks.ts';

test('a probe spreads over the tiers of a run, its smallest and largest among them', () => {
  assert.deepEqual(probeRanks([2, 4, 8, 16, 32, 64]), [2, 8, 16, 64]);
  assert.deepEqual(probeRanks([4, 64]), [4, 24, 44, 64]);
  assert.deepEqual(probeRanks([8]), [1, 2, 4, 8]);
  assert.deepEqual(probeRanks([1]), [1, 2, 4, 8]);
});

test('every probe has at least four different ranks that may exist, ascending', () => {
  const tiers = fc
    .uniqueArray(fc.integer({ min: 1, max: RANK_MAX }), { minLength: 1, maxLength: 12 })
    .map((ranks) => ranks.toSorted((a, b) => a - b));
  fc.assert(
    fc.property(tiers, (asked) => {
      const ranks = probeRanks(asked);
      assert.ok(new Set(ranks).size === ranks.length && ranks.length >= PROBE_RANKS, `${asked} gives ${ranks}`);
      assert.deepEqual(
        ranks,
        ranks.toSorted((a, b) => a - b),
      );
      assert.ok(ranks.every((rank) => Number.isInteger(rank) && rank >= 1 && rank <= RANK_MAX));
      assert.ok(ranks.includes(asked[0]!) && ranks.includes(asked.at(-1)!));
    }),
  );
});
