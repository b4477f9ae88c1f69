import { isClaimable, isUnanswered } from '../aggregation/task-lease.ts';
import type { AggregatorId, EffectId, TaskId } from '../ids.ts';
import { cohortNeed, countAgents, countReady, countTooSmall, newestReadiness } from './choose-cohort.ts';
import { sortedEntries } from './persistent-map.ts';
import { tallyCohort } from './phases/collecting.ts';
import { lastRound } from './published-round.ts';
import type { EffectTrouble, Phase, RoundState } from './round-state.ts';
import type { LatePolicy } from './run-spec.ts';

/**
 * How a run stands, in one small field of the store: enough for a door to answer without reading the agents, the cohort and the tasks.
 */
export interface RunHead {
  /** Of the encoding of all fields. */
  readonly version: 1;
  readonly phase: Phase;
  readonly paused: RoundState['paused'];
  readonly round: number;
  /** Rounds that the run is to publish, those of roll-backs among them. */
  readonly rounds: number;
  readonly late: LatePolicy;
  readonly standingSequence: number;
  readonly agents: {
    readonly enrolled: number;
    /** Asked for work lately, whatever they do now. */
    readonly ready: number;
    /** Carry no rank of the run. */
    readonly tooSmall: number;
    /** While recruiting: ready, carry a rank, and have no part in what the open round has accepted; else 0. */
    readonly available: number;
    /** While recruiting: available agents with which the round starts at once; else 0. */
    readonly wanted: number;
    /** While recruiting: available agents without which it cannot start; else 0. */
    readonly missing: number;
  };
  readonly cohort: {
    readonly members: number;
    readonly answered: number;
    readonly accepted: number;
    readonly goal: number;
  };
  readonly tasks: {
    /** May be claimed now. */
    readonly pending: number;
    /** Rest after a lapse. */
    readonly resting: number;
    readonly leased: number;
    readonly done: number;
    readonly held: number;
    /** Aggregators that hold a lease. */
    readonly aggregators: number;
    /** Claims that nobody has answered for yet: one that is made again is answered from here, also when no task is pending. */
    readonly claims: readonly string[];
    /** The first task, by id, that is held, else the first of those not done that went wrong: what was said of it. */
    readonly complaint: { readonly taskId: TaskId; readonly reason: string } | null;
  };
  readonly troubles: readonly (readonly [EffectId, EffectTrouble])[];
}

/** Without a time, readiness is counted as of the newest event of which the state knows the time. */
export function headOf(state: RoundState, nowMs: number = newestMs(state)): RunHead {
  const { paused, spec } = state;
  return {
    version: 1,
    paused,
    ...deliveryHead(state),
    standingSequence: state.standingSequence,
    agents: agentsHead(state, nowMs),
    cohort: { ...tallyCohort(state.cohort), goal: Math.min(spec.cohort.goal, closesAt(state)) },
    tasks: tallyTasks(state.tasks),
    troubles: [...state.troubles],
  };
}

/** In the other phases nobody is chosen, and a commit for each update of thousands looks at none of the others. */
function agentsHead(state: RoundState, nowMs: number): RunHead['agents'] {
  const { agents, readiness, phase } = state;
  const enrolled = agents.size;
  if (phase.kind === 'recruiting') {
    const { eligible, ...counts } = countAgents(state, nowMs);
    return { enrolled, ...counts, ...cohortNeed(state, { eligible }) };
  }
  const [ready, tooSmall] = [countReady(readiness, nowMs), countTooSmall(agents)];
  return { enrolled, ready, tooSmall, available: 0, wanted: 0, missing: 0 };
}

/** How many rounds of a run are published: 0, 1, 2 … without a gap. */
export const publishedCount = ({ phase, round }: Pick<RunHead, 'phase' | 'round'>): number =>
  phase.kind === 'settled' && phase.outcome === 'completed' ? round + 1 : round;

/** What decides whether an update is still taken (`takesUpdate`). */
export const deliveryHead = (state: RoundState): Pick<RunHead, 'phase' | 'round' | 'rounds' | 'late'> => ({
  phase: state.phase,
  round: state.round,
  rounds: lastRound(state),
  late: state.spec.cohort.late,
});

/** A round that started with fewer agents than its goal closes when all have answered. */
const closesAt = ({ phase, cohort, spec }: RoundState): number =>
  phase.kind === 'collecting' ? cohort.size : spec.cohort.goal;

function tallyTasks(tasks: RoundState['tasks']): RunHead['tasks'] {
  const tally = { pending: 0, resting: 0, leased: 0, done: 0, held: 0 };
  const holders = new Set<AggregatorId>();
  const claims: string[] = [];
  let heldTask: RunHead['tasks']['complaint'] = null;
  let failedTask: RunHead['tasks']['complaint'] = null;
  for (const [taskId, task] of sortedEntries(tasks)) {
    const { progress, lastFailure } = task;
    tally[progress.kind === 'pending' && !isClaimable(task) ? 'resting' : progress.kind] += 1;
    if (progress.kind === 'leased') holders.add(progress.to);
    if (task.claimId !== null && isUnanswered(task)) claims.push(task.claimId);
    if (progress.kind === 'held') heldTask ??= { taskId, reason: progress.reason };
    else if (progress.kind !== 'done' && lastFailure !== null) failedTask ??= { taskId, reason: lastFailure };
  }
  return { ...tally, aggregators: holders.size, claims, complaint: heldTask ?? failedTask };
}

const newestMs = ({ phase, readiness, spec }: RoundState): number =>
  Math.max(phase.sinceMs, newestReadiness(readiness) - spec.timing.agentReadyMs);
