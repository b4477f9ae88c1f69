import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '../ids.ts';
import { exampleProfile, exampleSpec } from './example-run.ts';
import type { RoundState } from './round-state.ts';
import { diffState } from './state-fields.ts';
import { step } from './step.ts';

const ids = (...names: readonly string[]): readonly AgentId[] => names as readonly AgentId[];
const enrol = (state: RoundState, name: string, rank: number): RoundState =>
  step(state, { kind: 'agentEnrolled', atMs: 10, agentId: name as AgentId, profile: exampleProfile(rank) }).state!;
const created = step(null, { kind: 'runCreated', atMs: 0, spec: exampleSpec }).state!;
const enrolled = ['alice', 'bob'].reduce((state, name) => enrol(state, name, 8), enrol(created, 'tiny', 1));
const ready = (state: RoundState, atMs: number, ...names: readonly string[]): RoundState => {
  const { state: after, reply } = step(state, { kind: 'agentsReady', atMs, agentIds: ids(...names) });
  assert.deepEqual(reply, { kind: 'done' });
  return after!;
};

test('one event makes many agents present; unknown ones and those that carry no rank are left out', () => {
  const state = ready(enrolled, 100, 'alice', 'nobody', 'tiny', 'bob', 'alice');
  const untilMs = 100 + exampleSpec.timing.agentReadyMs;
  assert.deepEqual([...state.readiness].sort(), [
    ['alice', untilMs],
    ['bob', untilMs],
  ]);
});

test('presence writes a number, and no record', () => {
  const { put, drop } = diffState(ready(enrolled, 100, 'alice'), ready(enrolled, 200, 'alice'));
  const untilMs = 200 + exampleSpec.timing.agentReadyMs;
  assert.deepEqual([put.get('ready:alice'), drop], [String(untilMs), []]);
  assert.deepEqual(
    [...put.keys()].filter((field) => field.startsWith('agent:')),
    [],
  );
});

test('an older batch makes nobody absent earlier', () => {
  const state = ready(enrolled, 500, 'alice');
  assert.equal(ready(state, 400, 'alice'), state);
});

test('an agent whose new profile carries no rank is not present any more', () => {
  const state = enrol(ready(enrolled, 100, 'alice', 'bob'), 'alice', 1);
  assert.deepEqual([...state.readiness.keys()], ['bob']);
});
