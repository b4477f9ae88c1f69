import { cohortNeed, countAgents } from './choose-cohort.ts';
import { tallyCohort } from './phases/collecting.ts';
import type { Phase, RoundState } from './round-state.ts';

/**
 * How a run stands, in one small field of the store: enough for a door to answer without reading the agents, the cohort and the tasks.
 */
export interface RunHead {
  /** Of the encoding of all fields. */
  readonly version: 1;
  readonly phase: Phase;
  readonly paused: RoundState['paused'];
  readonly round: number;
  /** Rounds that the run is to publish. */
  readonly rounds: number;
  readonly agents: {
    readonly enrolled: number;
    /** Carry no rank of the run. */
    readonly tooSmall: number;
    /** Ready, carry a rank, and have no part in what the open round has accepted. */
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
  readonly tasks: { readonly pending: number; readonly leased: number; readonly done: number };
}

/** Without a time, readiness is counted as of the newest event of which the state knows the time. */
export function headOf(state: RoundState, nowMs: number = newestMs(state)): RunHead {
  const { phase, paused, round, spec } = state;
  const { available, eligible, tooSmall } = countAgents(state, nowMs);
  const need =
    phase.kind === 'recruiting' ? cohortNeed(state, { available, eligible, tooSmall }) : { wanted: 0, missing: 0 };
  return {
    version: 1,
    phase,
    paused,
    round,
    rounds: spec.rounds,
    agents: { enrolled: state.agents.size, available, tooSmall, ...need },
    cohort: { ...tallyCohort(state.cohort), goal: Math.min(spec.cohort.goal, closesAt(state)) },
    tasks: tallyTasks(state),
  };
}

/** A round that started with fewer agents than its goal closes when all have answered. */
const closesAt = ({ phase, cohort, spec }: RoundState): number =>
  phase.kind === 'collecting' ? cohort.size : spec.cohort.goal;

function tallyTasks(state: RoundState): RunHead['tasks'] {
  const tally = { pending: 0, leased: 0, done: 0 };
  for (const { progress } of state.tasks.values()) tally[progress.kind] += 1;
  return tally;
}

function newestMs({ phase, agents, spec }: RoundState): number {
  let newest = phase.sinceMs;
  agents.forEach(({ readyUntilMs }) => {
    newest = Math.max(newest, readyUntilMs - spec.timing.agentReadyMs);
  });
  return newest;
}
