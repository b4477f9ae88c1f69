import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatePolicy, RunSpec as RunSpecMessage, UpdateFormat } from '@flexlora/contracts/run/v1/run_spec';
import { isRefusal } from '@flexlora/core';
import { runSpecFromMessage, runSpecMessage } from './run-spec.ts';

const message: RunSpecMessage = {
  runId: 'toy',
  baseModelName: 'Toy',
  baseModelDigest: 'ab'.repeat(32),
  modules: [{ name: 'layers.0.q_proj', outFeatures: 8, inFeatures: 6, rankGroup: 'attention' }],
  rank: { min: 1, max: 4, tiers: [1, 4], policy: 3 },
  rounds: 2,
  cohort: { goal: 2, minimum: 1, overSelection: 1.5, late: LatePolicy.CARRY },
  timing: { collectingMs: 60_000, taskLeaseMs: 5_000, agentReadyMs: 30_000 },
  training: { steps: 10, batchSize: 2, learningRate: 0.01, alpha: 8, scaling: 2 },
  strategy: 2,
  svdSplit: 3,
  aggregation: { tolerance: 1.01 },
  seed: 7,
  origin: { runId: 'other', round: 3, manifestDigest: 'cd'.repeat(32) },
  updateFormat: UpdateFormat.INT8,
};

test('a specification is the same after both ways, over the wire too', () => {
  const received = RunSpecMessage.decode(RunSpecMessage.encode(message).finish());
  const spec = runSpecFromMessage(received);
  assert.ok(!isRefusal(spec));
  assert.deepEqual(runSpecMessage(spec), message);
  assert.deepEqual(
    [spec.rank.policy, spec.training.scaling, spec.strategy, spec.svdSplit, spec.aggregation.tolerance],
    ['uniform', 'alphaOverSqrtRank', 'flexlora-residual', 'even', 1.01],
  );
});

test('what is left unspecified is taken as the contract says', () => {
  const spec = runSpecFromMessage({
    ...message,
    rank: { ...message.rank!, policy: 0 },
    training: { ...message.training!, scaling: 0 },
    strategy: 0,
    svdSplit: 0,
    cohort: { ...message.cohort!, late: 0, overSelection: 0 },
    origin: undefined,
    updateFormat: 0,
  });
  assert.ok(!isRefusal(spec));
  assert.deepEqual(
    [spec.rank.policy, spec.training.scaling, spec.strategy, spec.svdSplit, spec.cohort.late, spec.origin],
    ['deadline-fit', 'alphaOverRank', 'flexlora', 'b', 'refuse', null],
  );
  assert.ok(!('updateFormat' in spec), 'its text is that of before there were formats');
  assert.equal(runSpecMessage(spec).updateFormat, UpdateFormat.AS_TRAINED);
});

test('a tolerance that is not named is the standard one', () => {
  for (const aggregation of [undefined, { tolerance: 0 }]) {
    const spec = runSpecFromMessage({ ...message, aggregation });
    assert.ok(!isRefusal(spec));
    assert.equal(spec.aggregation.tolerance, 1.001);
  }
});

test('each part that is missing, unknown or out of bounds is refused by its name', () => {
  const faulty: readonly [Partial<RunSpecMessage>, RegExp][] = [
    [{ rank: undefined }, /spec\.rank is not set/],
    [{ timing: undefined }, /spec\.timing is not set/],
    [{ runId: 'No Spaces' }, /run_id is "No Spaces"/],
    [{ baseModelDigest: 'xyz' }, /base_model_digest is "xyz"/],
    [{ modules: [{ ...message.modules[0]!, name: 'a/b' }] }, /module name is "a\/b"/],
    [{ strategy: 9 as never }, /strategy is 9; allowed: 1, 2, 3, 4/],
    [{ updateFormat: 9 as never }, /update_format is 9; allowed: 1, 2, 3, 4, 5/],
    [{ seed: 2 ** 31 }, /seed is 2147483648/],
    [{ aggregation: { tolerance: 0.5 } }, /aggregation\.tolerance is 0\.5; allowed: a number from 1\.000001 to 2/],
  ];
  for (const [change, expected] of faulty) {
    const refusal = runSpecFromMessage({ ...message, ...change });
    assert.ok(isRefusal(refusal), String(expected));
    assert.match(refusal.message, expected);
  }
  assert.ok(isRefusal(runSpecFromMessage(undefined)));
});
