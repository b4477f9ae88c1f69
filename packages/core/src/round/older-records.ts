import { freshTask } from '../aggregation/task-lease.ts';
import type { CohortMember, TaskRecord } from './round-state.ts';

/** Records of a store that an older version wrote, as this one would have written them: replicas are replaced one by one, in the midst of a round. */
export const completeMember = (member: CohortMember): CohortMember => ({
  ...member,
  assignment: { ...member.assignment, handout: member.assignment.handout ?? 0 },
});

/**
 * Tasks had no claim once, and their objects other names: what is done stays, and what was under way is given out again, for its holder would
 * answer for an object that is not looked for.
 */
export function completeTask(task: TaskRecord): TaskRecord {
  if (task.claimId !== undefined) return task;
  const { attempt, progress } = task;
  return {
    ...freshTask(task.modules),
    attempt,
    claimId: attempt === 0 ? null : '',
    ...(progress.kind === 'done' ? { progress } : {}),
  };
}
