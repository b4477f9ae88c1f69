import type { RoundEvent } from '../round-event.ts';

/** Events whose meaning depends on the phase; the others mean the same in every phase (`step.ts`). */
export type PhaseEvent = Extract<
  RoundEvent,
  {
    kind:
      | 'agentProgressed'
      | 'assignmentDeclined'
      | 'agentFailed'
      | 'updateStored'
      | 'taskClaimed'
      | 'taskRenewed'
      | 'taskCompleted'
      | 'taskFailed';
  }
>;
