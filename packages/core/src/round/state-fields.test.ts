import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '../ids.ts';
import { exampleProfile, exampleSpec } from './example-run.ts';
import { openAssignment } from './open-assignment.ts';
import type { RoundState } from './round-state.ts';
import {
  agentField,
  decodeAgent,
  decodeHead,
  decodeMember,
  decodeReadiness,
  decodeSpec,
  decodeState,
  diffState,
  encodeState,
  HEAD_FIELD,
  memberField,
  readyField,
} from './state-fields.ts';
import { step } from './step.ts';
import { whyHeadWaits, whyWaiting } from './why-waiting.ts';

const alice = 'alice' as AgentId;
const bob = 'bob' as AgentId;
const created = step(null, {
  kind: 'runRecovered',
  atMs: 0,
  spec: exampleSpec,
  published: [summary()],
  admitted: [],
  openRound: 'collecting',
  standing: null,
  carried: [],
  ledgers: [],
}).state!;
const enrolled = [alice, bob].reduce<RoundState>(
  (state, agentId) => step(state, { kind: 'agentEnrolled', atMs: 10, agentId, profile: exampleProfile(8) }).state!,
  created,
);
const collecting = [alice, bob].reduce<RoundState>(
  (state, agentId) => step(state, { kind: 'agentsReady', atMs: 20, agentIds: [agentId] }).state!,
  enrolled,
);

function summary() {
  return {
    round: 0,
    manifest: { objectName: 'm', digest: 'd' as never },
    adapterDigest: null,
    updatesDigest: null,
    rolledBackTo: null,
    publishedAtMs: 0,
    updates: 0,
    samples: 0,
    trainingLoss: null,
    rankCounts: {},
    energyDroppedMax: 0,
    residualMax: 0,
  };
}

test('a specification that was written before runs had a tolerance has the standard one', () => {
  const { aggregation: _, ...older } = exampleSpec;
  assert.deepEqual(decodeSpec(JSON.stringify(older)), { ...exampleSpec, aggregation: { tolerance: 1.001 } });
  const exact = { ...exampleSpec, aggregation: { tolerance: 1.5 } };
  assert.deepEqual(decodeSpec(JSON.stringify(exact)), exact);
});

test('a specification that was written before runs had update formats is written as it was', () => {
  assert.ok(!JSON.stringify(exampleSpec).includes('updateFormat'));
  assert.deepEqual(decodeSpec(JSON.stringify(exampleSpec)), exampleSpec);
  const int8 = { ...exampleSpec, updateFormat: 'int8' } as const;
  assert.deepEqual(decodeSpec(JSON.stringify(int8)), int8);
});

test('a small change writes small fields', () => {
  const next = step(collecting, {
    kind: 'agentProgressed',
    atMs: 30,
    agentId: alice,
    round: 1,
    handout: 0,
    stage: 'training',
    fraction: 0.5,
    loss: 2,
  }).state!;
  const { put, drop } = diffState(collecting, next);
  assert.deepEqual([[...put.keys()], drop], [[memberField(alice)], []]);
});

test('what a member told of a transfer is kept with it, until it tells of something else', () => {
  const report = { kind: 'agentProgressed', agentId: alice, round: 1, handout: 0, fraction: 0.5, loss: null } as const;
  const transfer = { bytesDone: 5, bytesTotal: 10, bytesPerSecond: 2.5 };
  const sending = step(collecting, { ...report, atMs: 30, stage: 'uploading', transfer }).state!;
  const kept = decodeState(encodeState(sending)).cohort.get(alice)!.progress;
  assert.deepEqual(kept, { kind: 'working', atMs: 30, stage: 'uploading', fraction: 0.5, loss: null, transfer });
  const training = step(sending, { ...report, atMs: 40, stage: 'training' }).state!;
  assert.ok(!('transfer' in training.cohort.get(alice)!.progress));
});

test('a state that is the same writes nothing', () => {
  assert.deepEqual(diffState(collecting, collecting), { put: new Map(), drop: [] });
});

test('a member that is released is dropped', () => {
  const late = step(collecting, { kind: 'ticked', atMs: 1_000_000 }).state!;
  const { put, drop } = diffState(collecting, late);
  assert.deepEqual([[...put.keys()], [...drop].sort()], [[HEAD_FIELD], [memberField(alice), memberField(bob)]]);
});

test('a door answers an agent from four fields', () => {
  const fields = encodeState(collecting);
  const head = decodeHead(fields.get(HEAD_FIELD)!);
  const member = decodeMember(fields.get(memberField(alice))!);
  assert.equal(decodeReadiness(fields.get(readyField(alice))!), 20 + exampleSpec.timing.agentReadyMs);
  assert.equal(decodeAgent(fields.get(agentField(alice))!).enrolledAtMs, 10);
  assert.deepEqual(openAssignment(head, member), member.assignment);
  assert.equal(openAssignment(head, null), null);
  assert.equal(openAssignment({ ...head, paused: { sinceMs: 0, reason: '' } }, member), null);
  assert.equal(openAssignment({ ...head, round: 2 }, member), null);
  assert.equal(openAssignment(head, { ...member, progress: { kind: 'declined', atMs: 0, reason: '' } }), null);
  const recruiting = decodeHead(encodeState(enrolled).get(HEAD_FIELD)!);
  assert.equal(openAssignment(recruiting, member), null);
});

test('the head counts what the sentence for people needs', () => {
  const head = decodeHead(encodeState(collecting).get(HEAD_FIELD)!);
  assert.deepEqual(head.cohort, { members: 2, answered: 0, accepted: 0, goal: 2 });
  assert.deepEqual(head.agents, { enrolled: 2, ready: 2, available: 0, tooSmall: 0, wanted: 0, missing: 0 });
  assert.equal(whyHeadWaits(head, 1020), whyWaiting(collecting, 1020));
  assert.equal(
    whyWaiting(collecting, 1020),
    'collecting round 1: 0 of 2 updates, 0 of 2 agents have answered, 59 s left',
  );
});

test('readiness is counted at the time asked for', () => {
  const one = step(enrolled, { kind: 'agentsReady', atMs: 20, agentIds: [alice] }).state!;
  assert.match(whyWaiting(one, 20), /: 1 of 2 ready/);
  assert.match(whyWaiting(one, 20 + exampleSpec.timing.agentReadyMs), /: 0 of 2 ready/);
  assert.equal(decodeHead(encodeState(one).get(HEAD_FIELD)!).agents.available, 1);
});

test('fields that are no state of this version are a fault', () => {
  const fields = encodeState(collecting);
  assert.throws(() => decodeState(new Map([...fields, ['extra', '1']])), /a field extra/);
  assert.throws(
    () =>
      decodeState(
        new Map([...fields, [HEAD_FIELD, JSON.stringify({ ...decodeHead(fields.get(HEAD_FIELD)!), version: 2 })]]),
      ),
    /version 2/,
  );
  for (const name of [HEAD_FIELD, 'spec']) {
    const rest = new Map(fields);
    rest.delete(name);
    assert.throws(() => decodeState(rest), new RegExp(`no field ${name}`));
  }
});
