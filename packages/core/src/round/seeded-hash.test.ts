import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completionSeed, moduleSeed, seededHash, trainingSeed } from './seeded-hash.ts';

test('the hash is what it always was: assignments and completions of old runs depend on it', () => {
  assert.deepEqual(
    [seededHash('a'), seededHash('cohort', 7, 1, 'alice'), seededHash()],
    [444641715, 3589161176, 2872998923],
  );
});

test('seeds differ by purpose, round, agent and module, and fit 31 bits', () => {
  const seeds = [
    ...[0, 1, 2].flatMap((round) => ['alice', 'bob'].map((agent) => trainingSeed(7, round, agent))),
    ...[0, 1, 2].map((round) => completionSeed(7, round)),
    ...['q', 'k'].map((name) => moduleSeed(completionSeed(7, 0), name)),
    trainingSeed(8, 0, 'alice'),
  ];
  assert.equal(new Set(seeds).size, seeds.length);
  for (const seed of seeds) assert.ok(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31);
});

test('parts are kept apart', () => {
  assert.notEqual(seededHash('ab', 'c'), seededHash('a', 'bc'));
  assert.notEqual(seededHash(1, 11), seededHash(11, 1));
});

test('lots are spread evenly: each sixteenth gets its share of 16,000', () => {
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i += 1) counts[seededHash('cohort', 7, 3, `agent-${i}`) >>> 28]! += 1;
  // Six standard deviations of a fair draw (√937 ≈ 31).
  for (const count of counts) assert.ok(Math.abs(count - 1000) < 186, counts.join(' '));
});
