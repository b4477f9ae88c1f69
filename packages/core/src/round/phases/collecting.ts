import { type Answer, answer } from '../answer.ts';
import { beginAggregating } from '../close-round.ts';
import { onMemberReport } from '../member-reports.ts';
import { persistentMap, type Summaries, summarise } from '../persistent-map.ts';
import type { CohortMember, Phase, RoundState } from '../round-state.ts';
import { noTaskUnderWay } from '../task-reports.ts';
import { onUpdateStored } from '../update-stored.ts';
import type { PhaseEvent } from './phase-event.ts';

type Collecting = Extract<Phase, { kind: 'collecting' }>;

/**
 * Waits for the cohort's updates.
 *
 * | when                                                     | accepted       | then                                                  |
 * |----------------------------------------------------------|----------------|-------------------------------------------------------|
 * | at any time                                              | the goal       | aggregating                                           |
 * | everybody accepted, declined or failed; or the deadline  | the minimum    | aggregating                                           |
 * | everybody accepted, declined or failed; or the deadline  | fewer          | recruiting, the same round: accepted members stay, the others are free |
 *
 * An update that is folded in before anything found the deadline passed still counts. A round that started with fewer agents than its
 * goal closes when the last of them has answered.
 */
export function advanceCollecting(state: RoundState, phase: Collecting, atMs: number): RoundState {
  const { members, answered, accepted } = tallyCohort(state.cohort);
  if (accepted >= state.spec.cohort.goal) return beginAggregating(state, atMs);
  if (answered < members && atMs < phase.deadlineAtMs) return state;
  if (accepted >= state.spec.cohort.minimum) return beginAggregating(state, atMs);
  return openAgain(state, phase.reopened + 1, atMs);
}

/** Recruits for the same round again: accepted members stay, the others are free. */
export const openAgain = (state: RoundState, reopened: number, atMs: number): RoundState => ({
  ...state,
  cohort: persistentMap([...state.cohort].filter(([, { progress }]) => progress.kind === 'accepted')),
  phase: { kind: 'recruiting', sinceMs: atMs, startsAtMs: null, reopened },
});

export const beginCollecting = (
  state: RoundState,
  { deadlineAtMs, reopened }: { readonly deadlineAtMs: number; readonly reopened: number },
  atMs: number,
): RoundState => ({ ...state, phase: { kind: 'collecting', sinceMs: atMs, deadlineAtMs, reopened } });

export function onCollecting(state: RoundState, event: PhaseEvent): Answer {
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

export interface CohortTally {
  readonly members: number;
  /** Accepted, declined or failed. */
  readonly answered: number;
  readonly accepted: number;
}

export function tallyCohort(cohort: RoundState['cohort']): CohortTally {
  let answered = 0;
  let accepted = 0;
  for (const part of summarise(cohort, tallies, tallyOf)) {
    answered += part.answered;
    accepted += part.accepted;
  }
  return { members: cohort.size, answered, accepted };
}

/** The cohort is counted after every event of a collecting round. */
const tallies: Summaries<CohortMember, Omit<CohortTally, 'members'>> = new WeakMap();

function tallyOf(members: ReadonlyMap<string, CohortMember>): Omit<CohortTally, 'members'> {
  let answered = 0;
  let accepted = 0;
  for (const { progress } of members.values()) {
    if (hasAnswered(progress)) answered += 1;
    if (progress.kind === 'accepted') accepted += 1;
  }
  return { answered, accepted };
}

const hasAnswered = ({ kind }: CohortMember['progress']): boolean => kind !== 'assigned' && kind !== 'working';
