import type { AgentId, AggregatorId, EffectId, RunId } from '../ids.ts';
import { acceptedUpdates } from './documents/ledger-of.ts';
import type { LedgerUpdate } from './documents/round-ledger.ts';
import type { RunStanding } from './documents/run-standing.ts';
import { exampleDigest, exampleProfile, exampleResult, exampleSpec, exampleUpdate } from './example-run.ts';
import { sortedEntries } from './persistent-map.ts';
import type { RoundEffect, RoundEffectOutcome } from './round-effect.ts';
import { effectId } from './round-effect.ts';
import type { RoundEvent } from './round-event.ts';
import type { Assignment, PublishedRound, RoundState, TaskRecord } from './round-state.ts';
import type { RunSpec } from './run-spec.ts';

/** One draw of a random scenario: what kind of thing happens, two choices within it, and how much time passes before. */
export interface Draw {
  readonly verb:
    | 'natural'
    | 'repeat'
    | 'ready'
    | 'enrol'
    | 'report'
    | 'update'
    | 'task'
    | 'claim'
    | 'effect'
    | 'trouble'
    | 'operator'
    | 'recover'
    | 'tick';
  readonly a: number;
  readonly b: number;
  readonly passedMs: number;
}

export const AGENTS: readonly AgentId[] = ['ada', 'bob', 'cleo', 'dan', 'eve'] as AgentId[];
const AGGREGATORS: readonly AggregatorId[] = ['agg-1', 'agg-2', 'agg-3'] as AggregatorId[];
/** The last one is no task of the example. */
const TASKS = ['attention-0', 'attention-1', 'feed-forward-0', 'feed-forward-1', 'attention-9'];

const pick = <T>(from: readonly T[], by: number): T => from[by % from.length]!;

/**
 * The event that a draw means in a state. `natural` is what honest agents and aggregators would do next, so that scenarios get through
 * whole rounds; `repeat` is any earlier event as it was, with its old time; the others are right by chance.
 */
export function randomEvent(
  draw: Draw,
  state: RoundState | null,
  atMs: number,
  past: readonly RoundEvent[],
): RoundEvent {
  const { verb, a, b } = draw;
  if (state === null) return { kind: 'runCreated', atMs, spec: randomSpec(a, b) };
  const agentId = pick(AGENTS, a);
  switch (verb) {
    case 'natural':
      return natural(draw, state, past, atMs);
    case 'repeat':
      return past.length === 0 ? { kind: 'ticked', atMs } : again(pick(past, a * 31 + b), atMs);
    case 'ready':
      return { kind: 'agentsReady', atMs, agentIds: b % 3 === 0 ? AGENTS.slice(a % 4) : [agentId] };
    case 'enrol':
      return { kind: 'agentEnrolled', atMs, agentId, profile: exampleProfile(pick([1, 2, 4, 8, 20], b)) };
    case 'report':
      return report(draw, state, agentId, atMs);
    case 'update': {
      const round = pick([state.round, state.round, state.round, state.round - 1, state.round + 1], b);
      return update(state, a % 4 === 0 ? agentId : (memberAt(state, a) ?? agentId), round, b >> 3, atMs);
    }
    case 'task':
      return taskReport(draw, state, atMs);
    case 'claim':
      return claim(a, b, atMs);
    case 'effect':
      return state.effects.size === 0
        ? { kind: 'ticked', atMs }
        : performed(state, pick([...state.effects.values()], a), draw, past, atMs);
    case 'trouble': {
      const effectId = pick([...state.effects.keys(), 'publish-manifest-99' as EffectId], a);
      return { kind: 'effectTroubled', atMs, effectId, reason: pick(['full', 'away'], b), attempts: 3 + (b % 5) };
    }
    case 'operator':
      return operator(draw, state, atMs);
    case 'recover':
      return recovered(draw, state, past, atMs);
    case 'tick':
      return { kind: 'ticked', atMs };
  }
}

const randomSpec = (a: number, b: number): RunSpec => {
  const goal = 1 + (a % 3);
  return {
    ...exampleSpec,
    rounds: 1 + (b % 3),
    cohort: {
      goal,
      minimum: 1 + (b % goal),
      overSelection: pick([1, 1.5, 2], a + b),
      late: pick(['refuse', 'carry'], a + b),
    },
    timing: { collectingMs: 10_000, taskLeaseMs: 3_000, agentReadyMs: 8_000 },
    seed: a,
    origin: b % 11 === 0 ? { runId: 'older' as RunId, round: 3, manifestDigest: exampleDigest('older-3') } : null,
  };
};

function natural(draw: Draw, state: RoundState, past: readonly RoundEvent[], atMs: number): RoundEvent {
  const { a, b } = draw;
  const { phase } = state;
  const effects = sortedEntries(state.effects);
  if (effects.length > 0) return performed(state, pick(effects, a)[1], { ...draw, b: 5 * b + 1 }, past, atMs);
  if (phase.kind === 'settled' && b % 4 === 0) return { kind: 'retryRequested', atMs, reason: 'mended' };
  const agentId = pick(AGENTS, a);
  if (phase.kind === 'recruiting') {
    return state.agents.has(agentId)
      ? { kind: 'agentsReady', atMs, agentIds: [agentId] }
      : { kind: 'agentEnrolled', atMs, agentId, profile: exampleProfile(8) };
  }
  if (phase.kind === 'collecting') {
    const open = sortedEntries(state.cohort).filter(([, { progress }]) => progress.kind !== 'accepted');
    return update(state, pick(open, a)[0], state.round, 0, atMs);
  }
  const leased = sortedEntries(state.tasks).filter(([, { progress }]) => progress.kind === 'leased');
  if (leased.length === 0 || b % 2 === 0) return claim(a, b, atMs);
  const [taskId, task] = pick(leased, a);
  const { attempt } = task;
  return {
    kind: 'taskCompleted',
    atMs,
    aggregatorId: holderOf(task),
    round: state.round,
    taskId,
    attempt,
    result: exampleResult(state, taskId, attempt),
  };
}

const memberAt = ({ cohort }: RoundState, by: number): AgentId | null =>
  cohort.size === 0 ? null : pick(sortedEntries(cohort), by)[0];

/** Flaw 0 is a good update; 1 has other bytes, 2 another object of the same bytes, 3 a wrong rank, 4 no samples. */
function update(state: RoundState, agentId: AgentId, round: number, by: number, atMs: number): RoundEvent {
  const flaw = by % 6;
  const assigned = state.cohort.get(agentId)?.assignment;
  const ranks = assigned === undefined || flaw === 3 ? { attention: 3, 'feed-forward': 8 } : assigned.ranks;
  const assignment: Assignment = {
    round,
    adapterVersion: round - 1,
    ranks,
    reason: '',
    seed: 0,
    deadlineAtMs: 0,
    handout: 0,
  };
  const bytes = `${agentId}-${round}-${flaw === 1 ? 'other' : 'good'}`;
  const stored = exampleUpdate(state.spec, agentId, assignment, bytes, `${bytes}-${flaw}-${atMs}`);
  return {
    kind: 'updateStored',
    atMs,
    agentId,
    round,
    update: { ...stored, samples: flaw === 4 ? 0 : 10 + (by % 7), loss: flaw === 5 ? null : 2 },
  };
}

function report({ a, b }: Draw, state: RoundState, agentId: AgentId, atMs: number): RoundEvent {
  const handout = (state.cohort.get(agentId)?.assignment.handout ?? 0) + pick([0, 0, 0, 0, -1, 1], b);
  const at = { atMs, agentId, round: state.round - (a % 7 === 0 ? 1 : 0), handout };
  if (b % 3 === 0) return { kind: 'assignmentDeclined', ...at, reason: 'busy' };
  if (b % 3 === 1) return { kind: 'agentFailed', ...at, reason: 'broken' };
  const transfer = { bytesDone: b % 10, bytesTotal: 10, bytesPerSecond: b % 4 === 0 ? null : b };
  const told = { fraction: (b % 13) / 10, loss: b % 2 === 0 ? null : 3 };
  return b % 5 === 0
    ? { kind: 'agentProgressed', ...at, stage: 'uploading', ...told, transfer }
    : { kind: 'agentProgressed', ...at, stage: 'training', ...told };
}

function taskReport({ a, b }: Draw, state: RoundState, atMs: number): RoundEvent {
  const taskId = pick(TASKS, a) as Parameters<typeof exampleResult>[1];
  const task = state.tasks.get(taskId);
  const attempt = Math.max(1, (task?.attempt ?? 1) - (b % 4 === 0 ? 1 : 0));
  const aggregatorId = task !== undefined && b % 3 !== 0 ? holderOf(task) : pick(AGGREGATORS, b);
  const ref = { atMs, aggregatorId, round: state.round - (b % 11 === 0 ? 1 : 0), taskId, attempt };
  const kind = pick(['renew', 'complete', 'complete', 'spoil', 'fail', 'refuse'], b >> 2);
  if (kind === 'renew') return { kind: 'taskRenewed', ...ref };
  if (kind === 'fail')
    return { kind: 'taskFailed', ...ref, reason: 'no storage', verdict: pick(['retry', 'handedBack'], a) };
  if (kind === 'refuse' && a % 3 === 0) return { kind: 'taskFailed', ...ref, reason: 'NaN', verdict: 'refused' };
  const result = exampleResult(state, taskId, attempt);
  return { kind: 'taskCompleted', ...ref, result: kind === 'spoil' ? { ...result, bytes: result.bytes + 1 } : result };
}

/** One claim in four is one that was made before, perhaps by another. */
const claim = (a: number, b: number, atMs: number): RoundEvent => ({
  kind: 'taskClaimed',
  atMs,
  aggregatorId: pick(AGGREGATORS, a),
  claimId: exampleDigest(b % 4 === 0 ? 'again' : `${a}-${b}-${atMs}`).slice(0, 8),
});

const holderOf = ({ progress }: TaskRecord): AggregatorId =>
  progress.kind === 'leased'
    ? progress.to
    : ((progress.kind === 'pending' || progress.kind === 'held' ? progress.lapsedFrom : null) ?? AGGREGATORS[0]!);

function operator({ a, b }: Draw, state: RoundState, atMs: number): RoundEvent {
  if (b % 17 === 0) return { kind: 'cancelRequested', atMs, reason: 'enough' };
  if (b % 17 > 12) return { kind: 'retryRequested', atMs, reason: 'more memory' };
  if (b % 17 < 6 && b % 17 > 2)
    return { kind: 'rollbackRequested', atMs, toRound: a % Math.max(1, state.round), reason: '' };
  if (b % 17 === 1) return { kind: 'runCreated', atMs, spec: a % 2 === 0 ? state.spec : randomSpec(a, b) };
  return state.paused === null && b % 3 === 0
    ? { kind: 'pauseRequested', atMs, reason: 'maintenance' }
    : { kind: 'resumeRequested', atMs };
}

/** One in five reports the outcome of another kind of effect. */
function performed(
  state: RoundState,
  effect: RoundEffect,
  { a, b }: Draw,
  past: readonly RoundEvent[],
  atMs: number,
): RoundEvent {
  const by = a + b;
  const id = effectId(effect);
  const document = { objectName: `${id}.json`, digest: exampleDigest(id) };
  const digests = { adapterDigest: exampleDigest(`a${id}`), updatesDigest: exampleDigest(`u${id}`) };
  const manifest = { manifest: document, ...digests };
  const stored = storedUpdates(state, by, atMs);
  const outcomes: Readonly<Record<RoundEffect['kind'], RoundEffectOutcome>> = {
    writeSpec: { kind: 'specWritten' },
    reconcileUpdates: { kind: 'updatesReconciled', found: by % 3 === 0 ? stored : [] },
    writeLedger:
      by % 4 === 0 && stored.length >= state.spec.cohort.minimum && state.round > 0 && !hasLedger(state, past)
        ? { kind: 'ledgerFound', ledger: document, updates: stored }
        : { kind: 'ledgerWritten', ledger: document },
    publishManifest: { kind: 'manifestPublished', ...manifest },
    publishRollback: { kind: 'manifestPublished', ...manifest },
    publishFork: { kind: 'forkPublished', ...manifest, energyDroppedMax: 0.1, residualMax: 0.2 },
    sweepRound: { kind: 'roundSwept' },
    writeStanding:
      by % 5 === 0 ? { kind: 'standingFound', standing: standing(state, by) } : { kind: 'standingWritten' },
  };
  const outcome = b % 5 === 0 ? pick(Object.values(outcomes), a) : outcomes[effect.kind];
  return { kind: 'effectDone', atMs, effectId: id, outcome };
}

/** What the object store told once of the open round's ledger it tells always: that is what the state holds since. */
const hasLedger = ({ round }: RoundState, past: readonly RoundEvent[]): boolean =>
  past.some((event) =>
    event.kind === 'effectDone'
      ? event.effectId === `write-ledger-${round}` && event.outcome.kind.startsWith('ledger')
      : event.kind === 'runRecovered' && event.openRound === 'closed' && event.published.length === round,
  );

/** What the object store holds changes: a recovery is not offered again as it was. */
const again = (event: RoundEvent, atMs: number): RoundEvent =>
  event.kind === 'runRecovered' ? { kind: 'ticked', atMs } : event;

/** Of some agents, as an object store may hold them: what this state has accepted, or what a history that it lost did. */
function storedUpdates(state: RoundState, by: number, atMs: number): readonly LedgerUpdate[] {
  return AGENTS.filter((_, i) => ((by >> i) & 1) === 1)
    .toSorted()
    .map((agentId) => {
      const progress = state.cohort.get(agentId)?.progress;
      if (progress?.kind === 'accepted') return { ...progress.update, agentId };
      const lost = update(state, agentId, state.round, by % 2 === 0 ? 0 : 3, atMs);
      if (lost.kind !== 'updateStored') throw new Error('update makes updates');
      return { ...lost.update, agentId };
    });
}

const standing = ({ standingSequence }: RoundState, by: number): RunStanding => ({
  sequence: standingSequence + (by % 3),
  paused: by % 2 === 0 ? { sinceMs: 0, reason: 'maintenance' } : null,
  settled: by % 7 === 0 ? { outcome: pick(['cancelled', 'failed'], by), reason: 'as it was', atMs: 0 } : null,
});

/** The object store is a round ahead of this state as a rule, or has its ledger, or knows no more. */
function recovered({ a, b }: Draw, state: RoundState, past: readonly RoundEvent[], atMs: number): RoundEvent {
  const { spec, round } = state;
  const known = [...state.published.values()];
  const updates = hasLedger(state, past) ? acceptedUpdates(state) : storedUpdates(state, a, atMs);
  const isSummed = updates.length >= spec.cohort.minimum && round > 0;
  const ahead: PublishedRound = {
    ...known[0]!,
    round,
    rolledBackTo: null,
    manifest: { objectName: `ahead-${round}`, digest: exampleDigest(`ahead-${round}`) },
  };
  const base = {
    kind: 'runRecovered',
    atMs,
    spec,
    standing: b % 3 === 0 ? standing(state, a) : null,
    carried: [],
  } as const;
  const ledger = { version: 1, runId: spec.runId, round, samples: 0, updates } as const;
  if (!isSummed || b % 4 === 0)
    return { ...base, published: known, admitted: [], openRound: 'collecting', ledgers: [] };
  if (b % 4 === 1) return { ...base, published: known, admitted: updates, openRound: 'closed', ledgers: [] };
  return {
    ...base,
    published: [...known, ahead],
    admitted: [],
    openRound: 'collecting',
    ledgers: b % 9 === 0 ? [] : [ledger],
  };
}
