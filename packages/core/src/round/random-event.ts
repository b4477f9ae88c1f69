import type { AgentId, AggregatorId, EffectId } from '../ids.ts';
import { exampleDigest, exampleProfile, exampleResult, exampleSpec, exampleUpdate } from './example-run.ts';
import { sortedEntries } from './persistent-map.ts';
import type { RoundEffect, RoundEffectOutcome } from './round-effect.ts';
import { effectId } from './round-effect.ts';
import type { RoundEvent } from './round-event.ts';
import type { Assignment, RoundState, TaskRecord } from './round-state.ts';
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
      return natural(draw, state, atMs);
    case 'repeat':
      return past.length === 0 ? { kind: 'ticked', atMs } : pick(past, a * 31 + b);
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
        : performed(pick([...state.effects.values()], a), b % 5 === 0 ? a : null, atMs);
    case 'trouble': {
      const effectId = pick([...state.effects.keys(), 'publish-manifest-99' as EffectId], a);
      return { kind: 'effectTroubled', atMs, effectId, reason: pick(['full', 'away'], b), attempts: 3 + (b % 5) };
    }
    case 'operator':
      return operator(draw, state, atMs);
    case 'tick':
      return { kind: 'ticked', atMs };
  }
}

const randomSpec = (a: number, b: number): RunSpec => {
  const goal = 1 + (a % 3);
  return {
    ...exampleSpec,
    rounds: 1 + (b % 3),
    cohort: { goal, minimum: 1 + (b % goal), overSelection: pick([1, 1.5, 2], a + b) },
    timing: { collectingMs: 10_000, taskLeaseMs: 3_000, agentReadyMs: 8_000 },
    seed: a,
  };
};

function natural({ a, b }: Draw, state: RoundState, atMs: number): RoundEvent {
  const { phase } = state;
  const effects = sortedEntries(state.effects);
  if (effects.length > 0) return performed(pick(effects, a)[1], null, atMs);
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
  return { kind: 'agentProgressed', ...at, stage: 'training', fraction: (b % 13) / 10, loss: b % 2 === 0 ? null : 3 };
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
  if (b % 17 === 1) return { kind: 'runCreated', atMs, spec: a % 2 === 0 ? state.spec : randomSpec(a, b) };
  return state.paused === null && b % 3 === 0
    ? { kind: 'pauseRequested', atMs, reason: 'maintenance' }
    : { kind: 'resumeRequested', atMs };
}

/** `wrong`: reports the outcome of another kind of effect. */
function performed(effect: RoundEffect, wrong: number | null, atMs: number): RoundEvent {
  const id = effectId(effect);
  const document = { objectName: `${id}.json`, digest: exampleDigest(id) };
  const outcomes: Readonly<Record<RoundEffect['kind'], RoundEffectOutcome>> = {
    writeSpec: { kind: 'specWritten' },
    writeLedger: { kind: 'ledgerWritten', ledger: document },
    publishManifest: {
      kind: 'manifestPublished',
      manifest: document,
      adapterDigest: document.digest,
      updatesDigest: document.digest,
    },
    deleteUpload: { kind: 'uploadDeleted' },
  };
  const outcome = wrong === null ? outcomes[effect.kind] : pick(Object.values(outcomes), wrong);
  return { kind: 'effectDone', atMs, effectId: id, outcome };
}
