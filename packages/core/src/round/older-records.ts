import { freshTask } from '../aggregation/task-lease.ts';
import type { AgentRecord, CohortMember, PublishedRound, TaskRecord } from './round-state.ts';
import type { RunHead } from './run-head.ts';

/** Records of a store that an older version wrote, as this one would have written them: replicas are replaced one by one, in the midst of a round. */
export const completeMember = (member: CohortMember): CohortMember => ({
  ...member,
  assignment: { ...member.assignment, handout: member.assignment.handout ?? 0 },
});

export const completeAgent = (agent: AgentRecord): AgentRecord => ({
  ...agent,
  lateAssignment: agent.lateAssignment ?? null,
});

export const completePublished = (round: PublishedRound): PublishedRound => ({
  ...round,
  adapterDigest: round.adapterDigest ?? null,
  updatesDigest: round.updatesDigest ?? null,
  rolledBackTo: round.rolledBackTo ?? null,
});

export const completeHead = (head: RunHead): RunHead => ({
  ...head,
  agents: { ...head.agents, ready: head.agents.ready ?? head.agents.available },
  late: head.late ?? 'refuse',
  standingSequence: head.standingSequence ?? 0,
  tasks: { ...NO_TASKS, ...head.tasks },
  troubles: head.troubles ?? [],
});

const NO_TASKS: RunHead['tasks'] = {
  pending: 0,
  resting: 0,
  leased: 0,
  done: 0,
  held: 0,
  aggregators: 0,
  claims: [],
  complaint: null,
};

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
