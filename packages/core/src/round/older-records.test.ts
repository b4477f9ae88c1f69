import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshTask, holdsTask } from '../aggregation/task-lease.ts';
import type { AggregatorId, ModuleName } from '../ids.ts';
import { decodeMember, decodeTask } from './state-fields.ts';

const modules = ['layers.0.attn.q_proj'];
const older = (progress: object, attempt = 3) =>
  decodeTask(JSON.stringify({ modules, attempt, failures: 1, progress, lastFailure: 'no room' }));

test('a task that an older version gave out is given out again, under the next attempt', () => {
  const leased = older({ kind: 'leased', to: 'agg-1', untilMs: 99 });
  assert.deepEqual(leased, { ...freshTask(modules as ModuleName[]), attempt: 3, claimId: '' });
  assert.equal(holdsTask(leased, 'agg-1' as AggregatorId, 3), false);
  assert.deepEqual(older({ kind: 'pending', lapsedFrom: null }, 0), freshTask(modules as ModuleName[]));
});

test('a task that an older version saw done is done', () => {
  const done = { kind: 'done', result: { objectName: 'attention-0-01234567-3.bin' } };
  assert.deepEqual(older(done).progress, done);
});

test('a task of this version is read as it was written', () => {
  const task = { ...freshTask(modules as ModuleName[]), attempt: 1, claimId: '0badcafe', lapses: ['agg-1'] };
  assert.deepEqual(decodeTask(JSON.stringify(task)), task);
});

test('a member of an older version has the first hand-out', () => {
  const member = { assignment: { round: 1 }, progress: { kind: 'assigned', atMs: 0 } };
  assert.equal(decodeMember(JSON.stringify(member)).assignment.handout, 0);
  const again = { ...member, assignment: { round: 1, handout: 2 } };
  assert.equal(decodeMember(JSON.stringify(again)).assignment.handout, 2);
});
