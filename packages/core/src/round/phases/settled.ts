import { type Answer, answer } from '../answer.ts';
import { onMemberReport } from '../member-reports.ts';
import type { RoundState } from '../round-state.ts';
import { noTaskUnderWay } from '../task-reports.ts';
import { onUpdateStored } from '../update-stored.ts';
import type { PhaseEvent } from './phase-event.ts';

/** Nothing leaves this phase. A repeat of an accepted update still gets its receipt; everything else comes too late. */
export function onSettled(state: RoundState, event: PhaseEvent): Answer {
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
