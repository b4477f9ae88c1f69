import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AggregatorId, ModuleName } from '../ids.ts';
import { TASK_ATTEMPTS_MAX } from '../limits.ts';
import type { TaskRecord } from '../round/round-state.ts';
import {
  changesAtMs,
  claimTask,
  failTask,
  freshTask,
  isClaimable,
  isExhausted,
  passTime,
  renewTask,
} from './task-lease.ts';

const [a, b, c] = ['agg-a', 'agg-b', 'agg-c'] as AggregatorId[] as [AggregatorId, AggregatorId, AggregatorId];
const task = freshTask(['layers.0.attn.q_proj' as ModuleName]);
const claimedBy = (from: TaskRecord, aggregatorId: AggregatorId, untilMs: number): TaskRecord =>
  claimTask(from, { aggregatorId, claimId: '0badcafe' }, untilMs);
/** Each of them claims the task as soon as it may, and is never heard of again. */
const lost = (by: readonly AggregatorId[]): TaskRecord =>
  by.reduce((each, id) => {
    const atMs = changesAtMs(each) ?? 0;
    return passTime(claimedBy(passTime(each, atMs), id, atMs + 10), atMs + 10);
  }, task);
const failedBy = (by: readonly AggregatorId[]): TaskRecord =>
  by.reduce((each, id) => failTask(claimedBy(each, id, 10), id, 'no room'), task);

test('a task rests twice as long after each lapse', () => {
  const rests = [1, 2, 3, 4].map((lapses) => {
    const { progress, lapses: all } = lost(Array.from({ length: lapses }, () => a));
    assert.equal(all.length, lapses);
    assert.equal(progress.kind, 'pending');
    return progress.kind === 'pending' ? progress.restsUntilMs : null;
  });
  assert.deepEqual(rests, [10 + 2000, 2020 + 4000, 6030 + 8000, 14_040 + 16_000]);
});

test('a resting task is not given out, and has rested at its time', () => {
  const resting = lost([a]);
  assert.deepEqual([isClaimable(resting), changesAtMs(resting)], [false, 2010]);
  assert.equal(passTime(resting, 2009), resting);
  assert.ok(isClaimable(passTime(resting, 2010)));
});

test('a task is held after five lapses of one aggregator, or three of several', () => {
  const kinds = [
    [a, a, a, a],
    [a, a, a, a, a],
    [a, b],
    [a, b, a],
    [b, a, c],
  ].map((by) => lost(by).progress.kind);
  assert.deepEqual(kinds, ['pending', 'held', 'pending', 'held', 'held']);
});

test('a holder that comes back was only away', () => {
  const back = renewTask(lost([a]), a, 9999);
  assert.deepEqual([back.lapses, back.progress], [[], { kind: 'leased', to: a, untilMs: 9999 }]);
  assert.deepEqual(renewTask(lost([a, b, a]), a, 99_999).lapses, [a, b]);
});

test('a machine that fails everything holds a task, and does not end its run', () => {
  assert.deepEqual(
    [failedBy([a, a, a, a]).progress.kind, failedBy([a, a, a, a, a]).progress.kind],
    ['pending', 'held'],
  );
  const exhausted = [
    [a, a, a, a, a],
    [a, a, a, a, b],
    [a, a, a, b, b],
    [a, b, a, b, c],
  ].map((by) => isExhausted(failedBy(by)));
  assert.deepEqual(exhausted, [false, false, true, true]);
});

test('whoever fails at it, a task comes to an end', () => {
  const failures = fc.array(fc.constantFrom(a, b, c), { minLength: 3 * TASK_ATTEMPTS_MAX, maxLength: 40 });
  fc.assert(
    fc.property(failures, (by) => {
      const ends = by.findIndex((_, n) => {
        const failed = failedBy(by.slice(0, n + 1));
        return isExhausted(failed) || failed.progress.kind === 'held';
      });
      assert.ok(ends >= TASK_ATTEMPTS_MAX - 1 && ends <= TASK_ATTEMPTS_MAX, `it ended with failure ${ends + 1}`);
    }),
  );
});
