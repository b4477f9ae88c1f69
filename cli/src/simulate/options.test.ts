import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../start/options.ts';
import { parseSimulateOptions } from './options.ts';
import { simulatedRunSpec } from './simulated-run.ts';

test('without words it is ten thousand agents in cohorts of two thousand', () => {
  assert.deepEqual(parseSimulateOptions([]), {
    agents: 10_000,
    cohort: 2_000,
    rounds: 3,
    seed: 1,
    updateBytes: 262_144,
    speed: 5,
    drivers: 8,
    orchestrators: 2,
    aggregators: 2,
    server: null,
    output: 'view',
  });
  assert.equal(parseSimulateOptions(['--help']), null);
});

const wrong: readonly (readonly [readonly string[], RegExp])[] = [
  [['--agents', '1'], /--agents is "1"; allowed: a whole number from 2/],
  [['--agents', '10', '--cohort', '11'], /--cohort is 11 with --agents 10; allowed: a cohort of at most all agents/],
  [['--update-bytes', '1000'], /--update-bytes is "1000"; allowed: a whole number from 32768/],
  [['--agents', '10', '--cohort', '5', '--drivers', '11'], /--drivers is "11"; allowed: a whole number from 1 to 10/],
  [['--server', 'a:1', '--orchestrators', '3'], /--orchestrators is 3 with --server; allowed: one of them/],
  [['--fleet', '3'], /Unknown option '--fleet'/],
];
for (const [words, message] of wrong)
  test(`${words.join(' ')} is wrong usage`, () => {
    assert.throws(
      () => parseSimulateOptions(words),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    );
  });

test('the run has the cohort that was asked for, and updates of the bytes that were asked for', () => {
  const options = parseSimulateOptions(['--cohort', '2000', '--update-bytes', '262144', '--speed', '20']);
  assert.ok(options !== null);
  const { cohort, modules, timing } = simulatedRunSpec('r', options);
  assert.equal(Math.ceil((cohort?.goal ?? 0) * (cohort?.overSelection ?? 0)), 2_000);
  assert.equal(cohort?.goal, 1_538);
  const bytes = modules.reduce((sum, { outFeatures, inFeatures }) => sum + 16 * (outFeatures + inFeatures) * 4, 0);
  assert.equal(bytes, 262_144);
  // Half an hour of the traces at twenty times the clock.
  assert.equal(timing?.collectingMs, 90_000);
});
