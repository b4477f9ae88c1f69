import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRefusal } from '../refusal.ts';
import { exampleProfile, exampleSpec } from '../round/example-run.ts';
import type { RunSpec } from '../round/run-spec.ts';
import {
  adapterBytes,
  assignRanks,
  DEADLINE_SHARE,
  MEMORY_HEADROOM_SHARE,
  moduleRank,
  updateBytes,
} from './assign-ranks.ts';
import type { ResourceProfile } from './resource-profile.ts';

const spec: RunSpec = { ...exampleSpec, rank: { min: 4, max: 64, tiers: [4, 8, 16, 32, 64], policy: 'deadline-fit' } };
/** 1000 + 100 r bytes and 1 + r seconds a step. */
const profile: ResourceProfile = {
  memoryBytesMax: Math.ceil((1000 + 100 * 40) / (1 - MEMORY_HEADROOM_SHARE)),
  measurements: [8, 16, 32].map((rank) => ({ rank, memoryBytes: 1000 + 100 * rank, stepSeconds: 1 + rank })),
  uplinkBytesPerSecond: 1e12,
  samples: 100,
};
/** Collecting time in which exactly `rank` fits: steps × (1 + rank) seconds, with a share for the rest. */
const fitting = (rank: number, policy: RunSpec['rank']['policy'] = 'deadline-fit'): RunSpec => ({
  ...spec,
  rank: { ...spec.rank, policy },
  timing: { ...spec.timing, collectingMs: Math.ceil((1000 * spec.training.steps * (1 + rank + 0.5)) / DEADLINE_SHARE) },
});

test('the largest tier that fits memory and the deadline, and why', () => {
  assert.deepEqual(assignRanks(fitting(19), profile), {
    kind: 'ranks',
    ranks: { attention: 16, 'feed-forward': 16 },
    reason: 'rank 16: memory allows 40, the deadline allows 19, tier 16',
  });
});

test('memory-fit does not look at the deadline', () => {
  const assigned = assignRanks(fitting(5, 'memory-fit'), profile);
  assert.ok(!isRefusal(assigned));
  assert.equal(assigned.reason, 'rank 32: memory allows 40, the deadline is not looked at, tier 32');
});

test('uniform gives everybody the same, whatever they have', () => {
  const assigned = assignRanks(fitting(5, 'uniform'), { ...profile, memoryBytesMax: 1 });
  assert.ok(!isRefusal(assigned));
  assert.deepEqual(assigned.ranks, { attention: 64, 'feed-forward': 64 });
});

test('a tier is given at the memory that it needs, and not with one byte less', () => {
  const needs = (rank: number): number => (1000 + 100 * rank) / (1 - MEMORY_HEADROOM_SHARE);
  const at = (memoryBytesMax: number): unknown => {
    const assigned = assignRanks(fitting(60), { ...profile, memoryBytesMax });
    return isRefusal(assigned) ? assigned.reason : assigned.ranks['attention'];
  };
  assert.deepEqual([at(Math.ceil(needs(16))), at(Math.ceil(needs(16)) - 1)], [16, 8]);
  assert.deepEqual([at(Math.ceil(needs(4))), at(Math.ceil(needs(4)) - 1)], [4, 'rankOutOfRange']);
});

test('a slow uplink takes from the time of training', () => {
  const fast = assignRanks(fitting(40), profile);
  const slow = assignRanks(fitting(40), {
    ...profile,
    uplinkBytesPerSecond: (2 * adapterBytes(spec.modules, { attention: 16, 'feed-forward': 16 })) / 200,
  });
  assert.ok(!isRefusal(fast) && !isRefusal(slow));
  assert.equal(fast.ranks['attention'], 32);
  assert.equal(slow.ranks['attention'], 16);
});

test('an agent that cannot carry the smallest tier is told what it lacks', () => {
  const refused = assignRanks(fitting(19), { ...profile, memoryBytesMax: 1200 });
  assert.ok(isRefusal(refused));
  assert.equal(refused.reason, 'rankOutOfRange');
  assert.match(refused.message, /^memory allows 0, the deadline allows 19; the run's smallest tier is 4: /);
});

test('a profile that is not believable is refused before anything is computed', () => {
  const refused = assignRanks(spec, { ...profile, samples: 0 });
  assert.ok(isRefusal(refused));
  assert.equal(refused.reason, 'badProfile');
});

test('a module has no more rank than its smaller side', () => {
  const [square, flat] = exampleSpec.modules;
  const ranks = { attention: 64, 'feed-forward': 64 };
  assert.equal(moduleRank(square!, ranks), 16);
  assert.equal(moduleRank(flat!, ranks), 4);
  assert.equal(moduleRank(flat!, { attention: 64 }), 0);
  assert.equal(adapterBytes(exampleSpec.modules, ranks), 2 * 4 * (16 * 32 + 4 * 36));
});

test('more of anything never gives a smaller rank', () => {
  const rankOf = (given: ResourceProfile): number => {
    const assigned = assignRanks(fitting(30), given);
    return isRefusal(assigned) ? 0 : assigned.ranks['attention']!;
  };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 100 }),
      (memory, uplink, more) => {
        const given = { ...profile, memoryBytesMax: memory, uplinkBytesPerSecond: uplink };
        assert.ok(rankOf({ ...given, memoryBytesMax: memory + more }) >= rankOf(given));
        assert.ok(rankOf({ ...given, uplinkBytesPerSecond: uplink + more }) >= rankOf(given));
      },
    ),
  );
});

test('the example profiles carry the rank that they are named after', () => {
  for (const rank of [2, 4, 8]) {
    const assigned = assignRanks(exampleSpec, exampleProfile(rank));
    assert.ok(!isRefusal(assigned));
    assert.equal(assigned.ranks['attention'], rank);
  }
});

test('the bytes of an update follow from the format of the run', () => {
  const ranks = { attention: 2, 'feed-forward': 100 };
  const numbers = 2 * (2 * 32 + 4 * 36);
  const sizes = ([undefined, 'f32', 'bf16', 'f16', 'int8'] as const).map((updateFormat) =>
    updateBytes(updateFormat === undefined ? exampleSpec : { ...exampleSpec, updateFormat }, ranks),
  );
  const scales = 2 * 4 * (16 + 2 + 32 + 4);
  assert.deepEqual(sizes, [
    { least: 2 * numbers, most: 4 * numbers },
    { least: 4 * numbers, most: 4 * numbers },
    { least: 2 * numbers, most: 2 * numbers },
    { least: 2 * numbers, most: 2 * numbers },
    { least: numbers + scales, most: numbers + scales },
  ]);
});
