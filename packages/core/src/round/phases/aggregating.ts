import { passTime } from '../../aggregation/task-lease.ts';
import { type Answer, answer, withEffect } from '../answer.ts';
import { onMemberReport } from '../member-reports.ts';
import { sortedEntries, withEntry } from '../persistent-map.ts';
import type { Phase, RoundState } from '../round-state.ts';
import { noTaskUnderWay, onTaskClaimed, onTaskReport } from '../task-reports.ts';
import { onUpdateStored } from '../update-stored.ts';
import type { PhaseEvent } from './phase-event.ts';

type Aggregating = Extract<Phase, { kind: 'aggregating' }>;

/**
 * Makes the round's adapter out of the cohort's accepted updates, which do not change any more once they are in the ledger.
 *
 * | stage         | when                                         | then                                                       |
 * |---------------|----------------------------------------------|------------------------------------------------------------|
 * | reconciling   | the store was asked (`onUpdatesReconciled`)  | writingLedger; or rollingBack, if an operator asked for it  |
 * | writingLedger | the ledger is written (`onLedgerWritten`)    | runningTasks: every module in one pending task             |
 * | writingLedger | another stands there (`onLedgerFound`)       | the same, of that ledger; what it lacks is carried over     |
 * | runningTasks  | a lease runs out                             | the task rests, is pending again, and held if that goes on |
 * | runningTasks  | a task is refused, or failed too often (`isExhausted`) | settled: failed                                    |
 * | runningTasks  | every task is done                           | publishing                                                 |
 * | publishing, rollingBack, forking | the manifest is published (`onManifestPublished`) | recruiting, the next round; after the last: settled: completed |
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
      return phase.stage.kind === 'runningTasks' || phase.stage.kind === 'publishing'
        ? onTaskReport(state, phase.stage.ledger, event)
        : answer(state, noTaskUnderWay(state, event));
  }
}
