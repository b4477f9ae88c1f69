import type { Assignment, CohortMember } from './round-state.ts';
import type { RunHead } from './run-head.ts';

/** The assignment to hand to an agent that asks for work, or null: its round is not collecting, the run is paused, or it has answered. */
export function openAssignment(head: RunHead, member: CohortMember | null): Assignment | null {
  if (member === null || head.phase.kind !== 'collecting' || head.paused !== null) return null;
  const isOpen = member.progress.kind === 'assigned' || member.progress.kind === 'working';
  return isOpen && member.assignment.round === head.round ? member.assignment : null;
}
