import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldCalls } from './held-calls.ts';

const waitedFor = heldCalls(60_000)['AgentService/AwaitAssignment']!;
const request = { runId: 'r', agentId: 'a', waitMsMax: 20_000 };
const assignment = (deadlineInMs: number) => ({ answer: { $case: 'assignment', value: { deadlineInMs } } });
const comeBack = { answer: { $case: 'comeBack', value: { afterMs: 500, reason: '' } } };

test('an assignment is as late as the hand-out is old, also for a call that was held for long', () => {
  assert.equal(waitedFor({ request, response: assignment(59_970), elapsedMs: 15_000 }), 30);
});

test('a call that came after the hand-out waited for itself alone', () => {
  assert.equal(waitedFor({ request, response: assignment(30_000), elapsedMs: 12 }), 12);
});

test('an answer without an assignment is late by what went beyond the wait that was asked for', () => {
  assert.equal(waitedFor({ request, response: comeBack, elapsedMs: 20_250 }), 250);
  assert.equal(waitedFor({ request, response: comeBack, elapsedMs: 9_000 }), null);
});

test('the end of the run is told to who was held for it: that is no latency', () => {
  const ended = { answer: { $case: 'runEnded', value: { outcome: 'completed' } } };
  assert.equal(waitedFor({ request, response: ended, elapsedMs: 9_000 }), null);
});
