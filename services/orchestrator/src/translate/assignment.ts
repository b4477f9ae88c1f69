import type { Assignment as AssignmentMessage } from '@flexlora/contracts/agent/v1/agent_service';
import type { Assignment } from '@flexlora/core';

export const assignmentMessage = (assignment: Assignment, nowMs: number): AssignmentMessage => ({
  round: assignment.round,
  adapterVersion: assignment.adapterVersion,
  ranks: { ...assignment.ranks },
  rankReason: assignment.reason,
  seed: assignment.seed,
  deadlineAtMs: assignment.deadlineAtMs,
  handout: assignment.handout,
  deadlineInMs: Math.max(0, assignment.deadlineAtMs - nowMs),
});
