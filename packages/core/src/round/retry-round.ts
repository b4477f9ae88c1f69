import { forgiveTask } from '../aggregation/task-lease.ts';
import { refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
import { writeLedger } from './close-round.ts';
import { withEntry } from './persistent-map.ts';
import { openAgain, tallyCohort } from './phases/collecting.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundState } from './round-state.ts';

/**
 * An operator gives the open round another try. What was accepted stays in any case.
 *
 * | phase                        | what becomes of it                                                              |
 * |------------------------------|---------------------------------------------------------------------------------|
 * | recruiting                   | nothing: it is about to be handed out                                           |
 * | collecting                   | recruiting: handed out again to those who are ready now                         |
 * | aggregating                  | tasks that are held or rest may be claimed, and nothing is held against any      |
 * | settled: failed              | aggregating, of what the cohort holds; recruiting when that is below the minimum |
 * | settled: completed, cancelled | refused                                                                        |
 */
export function onRetryRequested(state: RoundState, { atMs }: Extract<RoundEvent, { kind: 'retryRequested' }>): Answer {
  const { phase } = state;
  switch (phase.kind) {
    case 'recruiting':
      return done(state);
    case 'collecting':
      return done(openAgain(state, phase.reopened + 1, atMs));
    case 'aggregating': {
      let { tasks } = state;
      for (const [taskId, task] of tasks) tasks = withEntry(tasks, taskId, forgiveTask(task));
      return done(tasks === state.tasks ? state : { ...state, tasks });
    }
    case 'settled':
      return phase.outcome === 'failed' ? done(revive(state, atMs)) : answer(state, noWayBack(state, phase.outcome));
  }
}

/** The ledger is there as a rule: the same bytes are written again. A cohort below the minimum waits for the round's patience. */
export function revive(state: RoundState, atMs: number): RoundState {
  const isEnough = state.round === 0 || tallyCohort(state.cohort).accepted >= state.spec.cohort.minimum;
  return isEnough ? writeLedger(state, atMs) : openAgain(state, 1, atMs);
}

const noWayBack = (state: RoundState, outcome: string) =>
  refuse(
    'wrongPhase',
    `run ${state.spec.runId} was ${outcome}: there is nothing to retry; fork the run to go on from a round`,
  );
