import { type Answer, answer } from '../answer.ts';
import { type CohortNeed, chooseCohort, cohortNeed, countAgents } from '../choose-cohort.ts';
import { beginAggregating } from '../close-round.ts';
import { onMemberReport } from '../member-reports.ts';
import { withEntry } from '../persistent-map.ts';
import type { Phase, RoundState } from '../round-state.ts';
import type { RunSpec } from '../run-spec.ts';
import { noTaskUnderWay } from '../task-reports.ts';
import { onUpdateStored } from '../update-stored.ts';
import { beginCollecting } from './collecting.ts';
import type { PhaseEvent } from './phase-event.ts';

type Recruiting = Extract<Phase, { kind: 'recruiting' }>;

/**
 * Waits until enough agents are ready. The cohort holds only what was accepted before the round was opened again, which is kept.
 *
 * | when                                                                     | then                                        |
 * |--------------------------------------------------------------------------|---------------------------------------------|
 * | paused                                                                   | nothing                                     |
 * | the goal is accepted already (by a recovery, or by late updates)                     | aggregating                                 |
 * | as many as wanted are available, and the round was not opened again      | collecting                                  |
 * | as many as are missing to the minimum are available, no start is fixed   | a start is fixed after `recruitingPatienceMs` |
 * | … and the start has come                                                 | collecting, with those who are available    |
 * | fewer, and the start has come                                            | no start is fixed                           |
 *
 * Available: ready, carrying a rank of the run, without an accepted update in this round. A round that was opened again always waits
 * for the patience, so that agents that decline or fail at once do not make it spin.
 */
export function advanceRecruiting(state: RoundState, phase: Recruiting, atMs: number): RoundState {
  if (state.paused !== null) return state;
  if (state.cohort.size >= state.spec.cohort.goal) return beginAggregating(state, atMs);
  const count = countAgents(state, atMs);
  const need = cohortNeed(state, count);
  const { available } = count;
  if (available >= need.wanted && phase.reopened === 0) return start(state, phase, need, atMs);

  const isDue = phase.startsAtMs !== null && atMs >= phase.startsAtMs;
  if (available < need.missing) return isDue ? { ...state, phase: { ...phase, startsAtMs: null } } : state;
  if (isDue) return start(state, phase, need, atMs);
  if (phase.startsAtMs !== null) return state;
  return { ...state, phase: { ...phase, startsAtMs: atMs + recruitingPatienceMs(state.spec) } };
}

/**
 * How long a round waits for more agents once the minimum is ready: a quarter of `agentReadyMs`. Agents ask for work several times within
 * `agentReadyMs`, so that most of those present have asked by then, and the first of them still counts as ready.
 */
export const recruitingPatienceMs = (spec: RunSpec): number => Math.ceil(spec.timing.agentReadyMs / 4);

export function onRecruiting(state: RoundState, event: PhaseEvent): Answer {
  switch (event.kind) {
    case 'updateStored':
      return onUpdateStored(state, event);
    case 'agentProgressed':
    case 'assignmentDeclined':
    case 'agentFailed':
      return onMemberReport(state, event);
    case 'taskClaimed':
      return answer(state, { kind: 'noTask' });
    case 'taskRenewed':
    case 'taskCompleted':
    case 'taskFailed':
      return answer(state, noTaskUnderWay(state, event));
  }
}

function start(state: RoundState, phase: Recruiting, need: CohortNeed, atMs: number): RoundState {
  const deadlineAtMs = atMs + state.spec.timing.collectingMs;
  const { reopened } = phase;
  const chosen = chooseCohort(state, need.wanted, atMs, { deadlineAtMs, handout: reopened });
  // Nobody is there, and what a recovery found reaches the minimum.
  if (chosen.length === 0) return beginAggregating(state, atMs);
  const cohort = chosen.reduce((members, [agentId, member]) => withEntry(members, agentId, member), state.cohort);
  return beginCollecting({ ...state, cohort }, { deadlineAtMs, reopened }, atMs);
}
