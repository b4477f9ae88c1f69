import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EffectId, TaskId } from '../ids.ts';
import { exampleSpec } from './example-run.ts';
import { headOf, type RunHead } from './run-head.ts';
import { step } from './step.ts';
import { sentenceOf, type Waiting, waitingFor } from './waiting.ts';

const created = step(null, { kind: 'runCreated', atMs: 0, spec: exampleSpec }).state!;
const head = headOf(created, 0);
const waits = (change: Partial<RunHead>, nowMs = 0): Waiting => waitingFor({ ...head, ...change }, nowMs);
const codeAndSentence = (change: Partial<RunHead>, nowMs = 0): readonly [string, string] => {
  const waiting = waits(change, nowMs);
  return [waiting.code, sentenceOf(waiting)];
};
const recruiting = { kind: 'recruiting', sinceMs: 0, startsAtMs: null, reopened: 0 } as const;
const document = { objectName: 'l', digest: '' as never };
const running = { kind: 'aggregating', sinceMs: 0, stage: { kind: 'runningTasks', ledger: document } } as const;
const publishing = { kind: 'aggregating', sinceMs: 0, stage: { kind: 'publishing', ledger: document } } as const;
const tasks = { pending: 1, resting: 0, leased: 0, done: 3, held: 0, aggregators: 0, complaint: null };
const agents = { enrolled: 9, ready: 5, tooSmall: 0, available: 5, wanted: 8, missing: 4 };

test('a run that recruits says how many agents are missing, and why those that are there do not do', () => {
  assert.deepEqual(codeAndSentence({ phase: recruiting, round: 4, agents }), [
    'agents',
    'waiting for 3 more agents: 5 of 8 ready, at least 4 for round 4',
  ]);
  const again = { ...recruiting, reopened: 2, startsAtMs: 2500 };
  const cohort = { ...head.cohort, accepted: 1 };
  assert.deepEqual(codeAndSentence({ phase: again, round: 4, agents: { ...agents, tooSmall: 1 }, cohort }, 1000), [
    'agents',
    'starting round 4 with those who are ready: 5 of 8 ready, 1 update kept from before, no rank of the run fits 1 agent, opened again 2 times, 2 s left',
  ]);
});

test('a run that collects says what it has and how long it waits, never less than no time', () => {
  const collecting = { kind: 'collecting', sinceMs: 0, deadlineAtMs: 5000, reopened: 0 } as const;
  const cohort = { members: 8, answered: 3, accepted: 2, goal: 6 };
  const sentence = (left: string) =>
    `collecting round 4: 2 of 6 updates, 3 of 8 agents have answered, ${left}` as const;
  assert.deepEqual(codeAndSentence({ phase: collecting, round: 4, cohort }, 4001), ['updates', sentence('1 s left')]);
  assert.deepEqual(codeAndSentence({ phase: collecting, round: 4, cohort }, 9000), ['updates', sentence('0 s left')]);
});

test('tasks wait for aggregators, then for those at work, and a held one for an operator', () => {
  const complaint = { taskId: 'attention-3' as TaskId, reason: 'no room' };
  const at = (change: Partial<RunHead['tasks']>) =>
    codeAndSentence({ phase: running, round: 4, tasks: { ...tasks, claims: [], ...change } });
  assert.deepEqual(at({}), ['aggregators', 'aggregating round 4: 3 of 4 tasks done, no aggregator is at work']);
  assert.deepEqual(at({ pending: 0, resting: 1, complaint }), [
    'aggregators',
    'aggregating round 4: 3 of 4 tasks done, no aggregator is at work, 1 task resting after a lost lease; task attention-3: no room',
  ]);
  assert.deepEqual(at({ leased: 3, aggregators: 2, complaint }), [
    'tasks',
    'aggregating round 4: 3 of 7 tasks done, 2 aggregators at work; task attention-3: no room',
  ]);
  assert.deepEqual(at({ leased: 1, held: 1, aggregators: 1, complaint }), [
    'heldTask',
    'aggregating round 4: 3 of 6 tasks done, an operator must look; task attention-3: no room',
  ]);
});

test('an object store that does not answer is named with its oldest trouble', () => {
  const trouble = (sinceMs: number, reason: string) => ({ sinceMs, reason, attempts: 14 });
  const troubles = [
    ['publish-manifest-4' as EffectId, trouble(2000, 'timeout')],
    ['write-spec' as EffectId, trouble(1000, 'XMinioStorageFull')],
  ] as const;
  assert.deepEqual(codeAndSentence({ phase: publishing, round: 4, troubles }), [
    'objectStore',
    'aggregating round 4: publishing the adapter; tried 14 times: XMinioStorageFull',
  ]);
  assert.deepEqual(codeAndSentence({}), ['objectStore', 'aggregating round 0: writing the list of updates']);
});

test('a paused run waits for its operator, and an ended one for nothing', () => {
  const paused = { sinceMs: 0, reason: 'maintenance' };
  assert.deepEqual(codeAndSentence({ phase: recruiting, paused, round: 4, agents }), [
    'resume',
    'paused by operator: maintenance (waiting for 3 more agents: 5 of 8 ready, at least 4 for round 4)',
  ]);
  const settled = { kind: 'settled', sinceMs: 0, outcome: 'failed', reason: 'no room' } as const;
  assert.deepEqual(codeAndSentence({ phase: settled }), ['none', 'failed: no room']);
});
