import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshTask } from '../aggregation/task-lease.ts';
import type { AggregatorId, ModuleName, TaskId } from '../ids.ts';
import { exampleSpec } from './example-run.ts';
import { persistentMap } from './persistent-map.ts';
import type { RoundState, TaskRecord } from './round-state.ts';
import { headOf } from './run-head.ts';
import { step } from './step.ts';

const created = step(null, { kind: 'runCreated', atMs: 0, spec: exampleSpec }).state!;
const agg = 'agg-1' as AggregatorId;
const task = (change: Partial<TaskRecord>): TaskRecord => ({ ...freshTask(['m' as ModuleName]), ...change });
const tasksOf = (...records: readonly TaskRecord[]) => {
  const tasks = persistentMap(records.map((record, i) => [`attention-${i}` as TaskId, record]));
  const state: RoundState = { ...created, tasks };
  return headOf(state, 0).tasks;
};

test('the head counts tasks by what may become of them', () => {
  const leased = { kind: 'leased', to: agg, untilMs: 9 } as const;
  const head = tasksOf(
    task({}),
    task({ attempt: 1, claimId: '00000001', progress: leased }),
    task({ attempt: 1, claimId: '00000002', progress: leased }),
    task({ attempt: 1, claimId: '00000003', progress: { kind: 'pending', lapsedFrom: agg, restsUntilMs: 9 } }),
    task({ attempt: 1, claimId: '00000004', progress: { kind: 'pending', lapsedFrom: null, restsUntilMs: null } }),
    task({ attempt: 1, claimId: '00000005', progress: { kind: 'done', result: {} as never } }),
  );
  const { claims, complaint, ...counts } = head;
  assert.deepEqual(counts, { pending: 2, resting: 1, leased: 2, done: 1, held: 0, aggregators: 1 });
  assert.deepEqual([claims, complaint], [['00000001', '00000002', '00000003'], null]);
});

test('the complaint is of the held task, else of the first that went wrong and is not done', () => {
  const failed = task({ lastFailure: 'no room' });
  const healed = task({ lastFailure: 'old', progress: { kind: 'done', result: {} as never } });
  const held = task({ lastFailure: 'x', progress: { kind: 'held', reason: 'too often', lapsedFrom: null } });
  assert.equal(tasksOf(healed, task({})).complaint, null);
  assert.deepEqual(tasksOf(healed, failed, failed).complaint, { taskId: 'attention-1', reason: 'no room' });
  assert.deepEqual(tasksOf(failed, held).complaint, { taskId: 'attention-1', reason: 'too often' });
});
