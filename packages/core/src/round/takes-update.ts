import type { AgentId } from '../ids.ts';
import { type Refusal, refuse } from '../refusal.ts';
import type { AgentRecord, Assignment, CohortMember } from './round-state.ts';
import type { RunHead } from './run-head.ts';

/** An update that is still taken. */
export interface OpenDelivery {
  /** What it must fit. */
  readonly assignment: Assignment;
  /** In which it counts: the round itself, or the next. */
  readonly countsIn: number;
}

/**
 * Whether an agent's update for `round` is still taken, if that round has none of it yet. A door asks before the bytes come, the machine when
 * they are there.
 *
 * | the run                                            | of the open round    | of the round before, late updates carried over            |
 * |----------------------------------------------------|----------------------|-----------------------------------------------------------|
 * | recruiting                                         | late                 | counts in the open round, unless one of the agent is in it    |
 * | collecting, or about to close the round            | counts               | 〃                                                        |
 * | aggregating; late updates are carried over         | counts in the next   | late                                                      |
 * | aggregating otherwise, settled                     | late                 | late                                                      |
 */
export function takesUpdate(
  head: Pick<RunHead, 'phase' | 'round' | 'rounds' | 'late'>,
  agent: Pick<AgentRecord, 'lateAssignment'> | null,
  member: CohortMember | null,
  agentId: AgentId,
  round: number,
): OpenDelivery | Refusal {
  const { phase, late } = head;
  if (round > head.round)
    return refuse(
      'unknownRound',
      `round is ${round}; the open round is ${head.round}: use the round of the assignment`,
    );
  const isOpen = phase.kind === 'collecting' || (phase.kind === 'aggregating' && phase.stage.kind === 'reconciling');
  if (round === head.round && isOpen) {
    if (member === null)
      return refuse('notAssigned', `agent ${agentId} has no assignment in round ${round}: ask for one`);
    if (member.progress.kind === 'accepted') return countsAlready(agentId, round, member.progress.update.trainedIn);
    return { assignment: member.assignment, countsIn: round };
  }
  const owed = agent?.lateAssignment?.round === round ? agent.lateAssignment : null;
  if (late === 'carry' && round === head.round && phase.kind === 'aggregating' && nextRoundComes(head)) {
    const assignment = member === null ? owed : member.progress.kind === 'accepted' ? null : member.assignment;
    if (assignment !== null) return { assignment, countsIn: round + 1 };
  }
  if (late === 'carry' && round === head.round - 1 && (phase.kind === 'recruiting' || isOpen)) {
    if (member?.progress.kind !== 'accepted' && owed !== null) return { assignment: owed, countsIn: head.round };
  }
  return refuse(
    'late',
    `round ${round} no longer takes updates (the run is ${phase.kind}, round ${head.round}): ask for a new assignment`,
  );
}

/** One update an agent and round: it was not handed out to an agent of which an update was carried over into it. */
const countsAlready = (agentId: AgentId, round: number, trainedIn = round): Refusal =>
  refuse(
    'alreadyAccepted',
    `round ${round} holds the update of agent ${agentId} that was trained in round ${trainedIn}: go on with the next assignment`,
  );

const nextRoundComes = ({ phase, round, rounds }: Pick<RunHead, 'phase' | 'round' | 'rounds'>): boolean =>
  round < rounds || (phase.kind === 'aggregating' && phase.stage.kind === 'rollingBack');
