import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '../ids.ts';
import { ledgerOf } from './documents/ledger-of.ts';
import type { LedgerUpdate } from './documents/round-ledger.ts';
import type { RunStanding } from './documents/run-standing.ts';
import { exampleDigest, exampleProfile, exampleSpec, exampleUpdate } from './example-run.ts';
import { checkInvariants } from './invariants.ts';
import type { RoundEvent } from './round-event.ts';
import type { PublishedRound, RoundState } from './round-state.ts';
import { type StepResult, step } from './step.ts';

const published = (count: number): readonly PublishedRound[] =>
  Array.from({ length: count }, (_, round) => ({
    round,
    manifest: { objectName: `m${round}`, digest: exampleDigest(`m${round}`) },
    adapterDigest: null,
    updatesDigest: null,
    rolledBackTo: null,
    publishedAtMs: round,
    updates: 2,
    samples: 200,
    trainingLoss: null,
    rankCounts: {},
    energyDroppedMax: 0,
    residualMax: 0,
  }));
const admitted = (...names: readonly string[]): readonly LedgerUpdate[] =>
  names.map((name) => {
    const assignment = {
      round: 1,
      adapterVersion: 0,
      ranks: { attention: 8, 'feed-forward': 8 },
      reason: '',
      seed: 0,
      deadlineAtMs: 0,
      handout: 0,
    };
    return { ...exampleUpdate(exampleSpec, name as AgentId, assignment, name), agentId: name as AgentId };
  });
const recover = (event: Partial<Extract<RoundEvent, { kind: 'runRecovered' }>>): StepResult =>
  step(null, {
    kind: 'runRecovered',
    atMs: 1000,
    spec: exampleSpec,
    published: published(1),
    admitted: [],
    openRound: 'collecting',
    standing: null,
    carried: [],
    ledgers: [],
    ...event,
  });
const opened = ({ state, reply }: StepResult): RoundState => {
  assert.deepEqual(reply, { kind: 'done' });
  assert.ok(state !== null);
  assert.deepEqual(checkInvariants(state), []);
  return state;
};

test('a run that published nothing begins again', () => {
  const state = opened(recover({ published: [] }));
  assert.deepEqual(
    [state.phase.kind, state.round, [...state.effects.keys()].sort()],
    ['aggregating', 0, ['write-ledger-0', 'write-spec']],
  );
});

test('a recovered round keeps the updates that were complete, and recruits for the rest', () => {
  const state = opened(recover({ admitted: admitted('alice') }));
  assert.deepEqual(
    [state.phase.kind, state.round, ledgerOf(state).updates.map(({ agentId }) => agentId)],
    ['recruiting', 1, ['alice']],
  );
});

test('an agent that enrols again after a recovery gets the receipt of its update, whose object stays', () => {
  const [update] = admitted('alice');
  const told: RoundEvent = { kind: 'updateStored', atMs: 1200, agentId: 'alice' as AgentId, round: 1, update: update! };
  const before = step(recover({ admitted: admitted('alice') }).state, told);
  assert.deepEqual([before.reply.kind === 'refusal' && before.reply.reason, before.emitted], ['unknownAgent', []]);
  const enrolled = step(before.state, {
    kind: 'agentEnrolled',
    atMs: 1100,
    agentId: 'alice' as AgentId,
    profile: exampleProfile(8),
  });
  const after = step(enrolled.state, told);
  assert.equal(after.reply.kind, 'updateAccepted');
  assert.deepEqual(after.emitted, []);
  assert.equal(opened({ ...after, reply: { kind: 'done' } }).agents.get('alice' as AgentId)?.roundsServed, 1);
});

test('an update of a round before the recovery is refused, and its object is left alone', () => {
  const enrolled = step(recover({ published: published(2) }).state, {
    kind: 'agentEnrolled',
    atMs: 1100,
    agentId: 'alice' as AgentId,
    profile: exampleProfile(8),
  });
  const late = step(enrolled.state, {
    kind: 'updateStored',
    atMs: 1200,
    agentId: 'alice' as AgentId,
    round: 1,
    update: admitted('alice')[0]!,
  });
  assert.deepEqual([late.reply.kind === 'refusal' && late.reply.reason, late.emitted], ['late', []]);
});

test('a round that had reached its goal, or had its ledger, is aggregated', () => {
  const sweep = { kind: 'sweepRound', round: 0 };
  const whole = recover({ admitted: admitted('alice', 'bob') });
  assert.equal(opened(whole).phase.kind, 'aggregating');
  assert.deepEqual(whole.emitted, [{ kind: 'reconcileUpdates', round: 1 }, sweep]);
  // What a ledger holds is not changed any more.
  const closed = recover({ admitted: admitted('alice'), openRound: 'closed' });
  assert.equal(opened(closed).phase.kind, 'aggregating');
  assert.deepEqual(closed.emitted, [sweep, { kind: 'writeLedger', round: 1 }]);
});

test('a run that was rolled back has as many rounds more', () => {
  const rolledBack = published(4).map((round) => (round.round === 2 ? { ...round, rolledBackTo: 0 } : round));
  assert.deepEqual([opened(recover({ published: rolledBack.slice(0, 3) })).round, rolledBack.length], [3, 4]);
  const { phase, round } = opened(recover({ published: rolledBack }));
  assert.deepEqual([phase.kind === 'settled' && phase.outcome, round], ['completed', 3]);
});

test('an update that was carried over is admitted as that, and its agent gets the receipt of the round in which it counts', () => {
  const update = { ...admitted('alice')[0]!, trainedIn: 1 };
  const recovered = recover({ published: published(2), admitted: [update] });
  assert.deepEqual(ledgerOf(opened(recovered)).updates, [update]);
  const enrolled = step(recovered.state, {
    kind: 'agentEnrolled',
    atMs: 1100,
    agentId: 'alice' as AgentId,
    profile: exampleProfile(8),
  });
  opened(enrolled);
  const { trainedIn: _, agentId, ...told } = update;
  const again = step(enrolled.state, { kind: 'updateStored', atMs: 1200, agentId, round: 1, update: told });
  assert.deepEqual(again.reply, { kind: 'updateAccepted', round: 2, objectName: update.objectName });
});

test('a run is recovered with its standing: paused, failed or cancelled; completed it is by its rounds', () => {
  const standing = (change: Partial<RunStanding>): RunStanding => ({
    sequence: 4,
    paused: null,
    settled: null,
    ...change,
  });
  const paused = opened(recover({ standing: standing({ paused: { sinceMs: 1, reason: 'look' } }) }));
  assert.deepEqual([paused.paused, paused.standingSequence], [{ sinceMs: 1, reason: 'look' }, 4]);
  for (const outcome of ['failed', 'cancelled'] as const) {
    const { phase } = opened(recover({ standing: standing({ settled: { outcome, reason: 'why', atMs: 1 } }) }));
    assert.deepEqual(phase.kind === 'settled' && [phase.outcome, phase.reason], [outcome, 'why']);
  }
  const cancelledAtOnce = opened(
    recover({ published: [], standing: standing({ settled: { outcome: 'cancelled', reason: '', atMs: 1 } }) }),
  );
  assert.deepEqual([cancelledAtOnce.phase.kind, [...cancelledAtOnce.effects.keys()]], ['settled', ['write-spec']]);
  const lost = standing({ settled: { outcome: 'completed', reason: '', atMs: 1 } });
  assert.equal(opened(recover({ standing: lost })).phase.kind, 'recruiting');
});

test('a round whose recovered updates reach the minimum goes on without more agents, after its patience', () => {
  const state = opened(recover({ admitted: admitted('alice') }));
  assert.ok(state.phase.kind === 'recruiting' && state.phase.startsAtMs !== null);
  assert.equal(step(state, { kind: 'ticked', atMs: state.phase.startsAtMs - 1 }).state, state);
  assert.equal(step(state, { kind: 'ticked', atMs: state.phase.startsAtMs }).state?.phase.kind, 'aggregating');
});

test('a run of which every round is published is completed', () => {
  const { phase } = opened(recover({ published: published(3) }));
  assert.equal(phase.kind === 'settled' && phase.outcome, 'completed');
});

test('what contradicts itself is not recovered', () => {
  const refused = (event: Parameters<typeof recover>[0]): unknown => {
    const { state, reply } = recover(event);
    assert.equal(state, null);
    return reply.kind === 'refusal' && reply.reason;
  };
  assert.equal(refused({ published: published(2).slice(1) }), 'unknownRound');
  assert.equal(refused({ published: published(4) }), 'unknownRound');
  assert.equal(refused({ published: [], admitted: admitted('alice') }), 'unknownRound');
  assert.equal(refused({ admitted: admitted('bob', 'alice') }), 'badId');
  assert.equal(refused({ admitted: admitted('bob', 'bob') }), 'badId');
  assert.equal(refused({ openRound: 'closed' }), 'badNumber');
  assert.equal(refused({ spec: { ...exampleSpec, rounds: 0 } }), 'badSpec');
});

test('a run that is there is not recovered over', () => {
  const state = opened(recover({}));
  const again = step(state, {
    kind: 'runRecovered',
    atMs: 2000,
    spec: exampleSpec,
    published: [],
    admitted: [],
    openRound: 'collecting',
    standing: null,
    carried: [],
    ledgers: [],
  });
  assert.equal(again.state, state);
  assert.deepEqual(again.reply, { kind: 'done' });
});

test('a state that lacks a verified update of its open round takes it from the object store, and its agent is done', () => {
  const state = opened(recover({}));
  const collected = admitted('alice');
  const event = { kind: 'runRecovered', atMs: 20, spec: state.spec, published: [...state.published.values()] } as const;
  const { state: after, reply } = step(state, {
    ...event,
    admitted: collected,
    openRound: 'collecting',
    standing: null,
    carried: [],
    ledgers: [],
  });
  assert.deepEqual(reply, { kind: 'done' });
  assert.deepEqual([...after!.cohort.keys()], ['alice']);
  assert.equal(after!.cohort.get('alice' as AgentId)!.progress.kind, 'accepted');
  assert.deepEqual(checkInvariants(after!), []);
});
