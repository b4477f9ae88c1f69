import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Task } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { Strategy } from '@flexlora/contracts/run/v1/run_spec';
import {
  isRefusal,
  MODULE_SIDE_MAX,
  RANK_MAX,
  type Refusal,
  TOLERANCE_MAX,
  TOLERANCE_MIN,
  TOLERANCE_STANDARD,
} from '@flexlora/core';
import { type TaskWork, workFromMessage } from './translate.ts';

const CLAIM_ID = '0a1b2c3d';
const TASK = Task.fromPartial({
  runId: 'run-1',
  round: 4,
  taskId: 'attention-0',
  attempt: 2,
  leaseMs: 1_000,
  modules: [{ name: 'layers.0.q', outFeatures: 3, inFeatures: 4, rankGroup: 'attention' }],
  rank: 8,
  strategy: Strategy.FLEXLORA_RESIDUAL,
  tolerance: 1.01,
  ledger: { objectName: 'l', sha256: 'a'.repeat(64) },
  previousManifest: { objectName: 'm', sha256: 'b'.repeat(64) },
  completionSeed: 9,
  objectName: 'runs/run-1/rounds/000004/adapter/attention-0-aaaaaaaa-2-0a1b2c3d.bin',
});

const translated = (change: Partial<Task>): TaskWork | Refusal => workFromMessage({ ...TASK, ...change }, CLAIM_ID);
const module = TASK.modules[0]!;

test('a task becomes the words of the core', () => {
  assert.deepEqual(workFromMessage(TASK, CLAIM_ID), {
    runId: 'run-1',
    round: 4,
    taskId: 'attention-0',
    attempt: 2,
    modules: [{ name: 'layers.0.q', out: 3, in: 4, rankGroup: 'attention' }],
    rank: 8,
    strategy: 'flexlora-residual',
    tolerance: 1.01,
    ledger: { objectName: 'l', digest: 'a'.repeat(64) },
    previousManifest: { objectName: 'm', digest: 'b'.repeat(64) },
    completionSeed: 9,
    objectName: 'runs/run-1/rounds/000004/adapter/attention-0-aaaaaaaa-2-0a1b2c3d.bin',
  });
});

test('no previous manifest is null, no strategy is flexlora, and no tolerance is the standard one', () => {
  const work = translated({ previousManifest: undefined, strategy: Strategy.UNSPECIFIED, tolerance: 0 });
  assert.ok(!isRefusal(work));
  assert.equal(work.previousManifest, null);
  assert.equal(work.strategy, 'flexlora');
  assert.equal(work.tolerance, TOLERANCE_STANDARD);
});

test('the bounds of the work are held: the last value that is allowed, and the first that is not', () => {
  for (const [allowed, refused] of [
    [{ rank: 1 }, { rank: 0 }],
    [{ rank: RANK_MAX }, { rank: RANK_MAX + 1 }],
    [{ modules: [{ ...module, outFeatures: 1 }] }, { modules: [{ ...module, outFeatures: 0 }] }],
    [
      { modules: [{ ...module, inFeatures: MODULE_SIDE_MAX }] },
      { modules: [{ ...module, inFeatures: MODULE_SIDE_MAX + 1 }] },
    ],
    [{ modules: [module] }, { modules: [] }],
    [{ tolerance: TOLERANCE_MIN }, { tolerance: 1 }],
    [{ tolerance: TOLERANCE_MAX }, { tolerance: TOLERANCE_MAX + 1 }],
  ]) {
    assert.ok(!isRefusal(translated(allowed!)), JSON.stringify(allowed));
    assert.ok(isRefusal(translated(refused!)), JSON.stringify(refused));
  }
});

test('what names no task, no document or no strategy of this version is refused with what it is', () => {
  for (const [change, words] of [
    [{ runId: '../x' }, /run_id is "\.\.\/x"/],
    [{ taskId: '' }, /task_id is ""/],
    [{ ledger: undefined }, /ledger of the task is not set/],
    [{ ledger: { objectName: 'l', sha256: 'A' } }, /ledger\.sha256 is "A"/],
    [{ previousManifest: { objectName: 'l', sha256: '' } }, /previous_manifest\.sha256 is ""/],
    [{ strategy: 99 as Strategy }, /strategy is number 99; allowed: .*hetlora: update the aggregator/],
    [
      { objectName: 'runs/run-1/spec.json' },
      /object_name is runs\/run-1\/spec\.json; allowed: .*attention-0-aaaaaaaa-2-0a1b2c3d\.bin/,
    ],
  ] as const) {
    const answer = translated(change);
    assert.ok(isRefusal(answer), JSON.stringify(change));
    assert.match(answer.message, words);
  }
});
