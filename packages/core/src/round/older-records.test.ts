import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshTask, holdsTask } from '../aggregation/task-lease.ts';
import type { AggregatorId, ModuleName } from '../ids.ts';
import { decodeAgent, decodeHead, decodeMember, decodePublishedRound, decodeTask } from './state-fields.ts';

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

test('a member that was written before transfers were told is read as it was written', () => {
  const progress = { kind: 'working', atMs: 1, stage: 'uploading', fraction: 0.5, loss: null };
  assert.deepEqual(decodeMember(JSON.stringify({ assignment: { round: 1 }, progress })).progress, progress);
});

test('a head of an older version counts no task that it did not know of', () => {
  const head = decodeHead(
    JSON.stringify({ version: 1, agents: { available: 4 }, tasks: { pending: 1, leased: 2, done: 3 } }),
  );
  const counts = { pending: 1, resting: 0, leased: 2, done: 3, held: 0, aggregators: 0, claims: [], complaint: null };
  assert.deepEqual(
    [head.tasks, head.troubles, head.late, head.standingSequence, head.agents.ready],
    [counts, [], 'refuse', 0, 4],
  );
});

test('an agent of an older version owes nothing, and a round has no digests and is no roll-back', () => {
  assert.equal(decodeAgent('{}').lateAssignment, null);
  const { adapterDigest, updatesDigest, rolledBackTo } = decodePublishedRound('{"round":3}');
  assert.deepEqual([adapterDigest, updatesDigest, rolledBackTo], [null, null, null]);
  const later = { round: 3, adapterDigest: 'a', updatesDigest: 'u', rolledBackTo: 0 };
  assert.deepEqual(decodePublishedRound(JSON.stringify(later)), later);
});
