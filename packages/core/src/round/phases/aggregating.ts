import { planAggregation } from '../../aggregation/plan-aggregation.ts';
import { freshTask, passTime } from '../../aggregation/task-lease.ts';
import { type Answer, answer, withEffect } from '../answer.ts';
import { onMemberReport } from '../member-reports.ts';
import { persistentMap, sortedEntries, withEntry } from '../persistent-map.ts';
import { type PublishedManifest, publishedRound } from '../published-round.ts';
import type { Phase, RoundState, StoredDocument } from '../round-state.ts';
import { complete } from '../settle.ts';
import { noTaskUnderWay, onTaskClaimed, onTaskReport } from '../task-reports.ts';
import { onUpdateStored } from '../update-stored.ts';
import type { PhaseEvent } from './phase-event.ts';

type Aggregating = Extract<Phase, { kind: 'aggregating' }>;

/**
 * Makes the round's adapter out of the cohort's accepted updates, which do not change any more.
 *
 * | stage         | when                                         | then                                                       |
 * |---------------|----------------------------------------------|------------------------------------------------------------|
 * | writingLedger | the ledger is written (`onLedgerWritten`)    | runningTasks: every module in one pending task             |
 * | runningTasks  | a lease runs out                             | the task rests, is pending again, and held if that goes on |
 * | runningTasks  | a task is refused, or failed too often (`isExhausted`) | settled: failed                                    |
 * | runningTasks  | every task is done                           | publishing                                                 |
 * | publishing    | the manifest is published (`onManifestPublished`) | recruiting, the next round; after the last: settled: completed |
 */
export function advanceAggregating(state: RoundState, phase: Aggregating, atMs: number): RoundState {
  if (phase.stage.kind !== 'runningTasks') return state;
  let tasks = state.tasks;
  for (const [taskId, task] of sortedEntries(state.tasks)) {
    tasks = withEntry(tasks, taskId, passTime(task, atMs));
  }
  if ([...tasks.values()].every(({ progress }) => progress.kind === 'done')) {
    const publishing: Aggregating = {
      kind: 'aggregating',
      sinceMs: phase.sinceMs,
      stage: { kind: 'publishing', ledger: phase.stage.ledger },
    };
    return withEffect({ ...state, tasks, phase: publishing }, { kind: 'publishManifest', round: state.round });
  }
  return tasks === state.tasks ? state : { ...state, tasks };
}

/** Closes the open round for updates. */
export const beginAggregating = (state: RoundState, atMs: number): RoundState =>
  withEffect(
    { ...state, phase: { kind: 'aggregating', sinceMs: atMs, stage: { kind: 'writingLedger' } } },
    { kind: 'writeLedger', round: state.round },
  );

export function onLedgerWritten(state: RoundState, ledger: StoredDocument): RoundState {
  const { phase } = state;
  if (phase.kind !== 'aggregating' || phase.stage.kind !== 'writingLedger') return state;
  const tasks = planAggregation(state.spec).map(({ taskId, modules }) => {
    return [taskId, freshTask(modules)] as const;
  });
  return { ...state, tasks: persistentMap(tasks), phase: { ...phase, stage: { kind: 'runningTasks', ledger } } };
}

export function onManifestPublished(state: RoundState, published: PublishedManifest, atMs: number): RoundState {
  const { phase, round, spec } = state;
  if (phase.kind !== 'aggregating' || phase.stage.kind !== 'publishing') return state;
  const rounds = new Map([...state.published, [round, publishedRound(state, published, atMs)]]);
  if (round === spec.rounds) return complete({ ...state, published: rounds }, atMs);
  return {
    ...state,
    published: rounds,
    round: round + 1,
    cohort: persistentMap(),
    tasks: persistentMap(),
    phase: { kind: 'recruiting', sinceMs: atMs, startsAtMs: null, reopened: 0 },
  };
}

export function onAggregating(state: RoundState, phase: Aggregating, event: PhaseEvent): Answer {
  switch (event.kind) {
    case 'updateStored':
      return onUpdateStored(state, event);
    case 'agentProgressed':
    case 'assignmentDeclined':
    case 'agentFailed':
      return onMemberReport(state, event);
    case 'taskClaimed': {
      // A lease that ran out by now may be claimed.
      const current = advanceAggregating(state, phase, event.atMs);
      if (current.phase.kind !== 'aggregating' || current.phase.stage.kind !== 'runningTasks')
        return answer(current, { kind: 'noTask' });
      return onTaskClaimed(current, current.phase.stage.ledger, event);
    }
    case 'taskRenewed':
    case 'taskCompleted':
    case 'taskFailed':
      return phase.stage.kind === 'writingLedger'
        ? answer(state, noTaskUnderWay(state, event))
        : onTaskReport(state, phase.stage.ledger, event);
  }
}
