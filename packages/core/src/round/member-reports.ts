import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
import { unknownAgent } from './enrolment.ts';
import { cutMessage } from './operator-requests.ts';
import { withEntry } from './persistent-map.ts';
import type { RoundEvent } from './round-event.ts';
import type { CohortMember, MemberProgress, RoundState } from './round-state.ts';

export type MemberReport = Extract<RoundEvent, { kind: 'agentProgressed' | 'assignmentDeclined' | 'agentFailed' }>;

/**
 * What a member of the cohort says of its work.
 *
 * | from                        | agentProgressed | assignmentDeclined | agentFailed | updateStored (`update-stored.ts`) |
 * |-----------------------------|-----------------|--------------------|-------------|-----------------------------------|
 * | assigned, working           | working         | declined           | failed      | accepted                          |
 * | declined, failed            | –               | –                  | –           | accepted: a good update is a good update |
 * | accepted                    | –               | –                  | –           | – (the same receipt, or refused)  |
 */
export function onMemberReport(state: RoundState, event: MemberReport): Answer {
  if (!state.agents.has(event.agentId)) return answer(state, unknownAgent(event.agentId));
  const closed = whyClosed(state, event.round);
  if (closed !== null) return answer(state, closed);
  // The round is about to be handed out again, perhaps to this very agent: it may go on with what it does.
  if (state.phase.kind === 'recruiting') return done(state);
  const member = state.cohort.get(event.agentId);
  if (member === undefined) {
    return answer(
      state,
      refuse('notAssigned', `agent ${event.agentId} has no assignment in round ${event.round}: ask for one`),
    );
  }
  // Said of an earlier hand-out, and overtaken on the way.
  if (member.assignment.handout !== event.handout) return done(state);
  if (member.progress.kind !== 'assigned' && member.progress.kind !== 'working') return done(state);
  const progress = progressAfter(member, event);
  if (isRefusal(progress)) return answer(state, progress);
  if (progress === member.progress) return done(state);
  return done({ ...state, cohort: withEntry(state.cohort, event.agentId, { ...member, progress }) });
}

function progressAfter({ progress }: CohortMember, event: MemberReport): MemberProgress | Refusal {
  switch (event.kind) {
    case 'assignmentDeclined':
      return { kind: 'declined', atMs: event.atMs, reason: cutMessage(event.reason) };
    case 'agentFailed':
      return { kind: 'failed', atMs: event.atMs, reason: cutMessage(event.reason) };
    case 'agentProgressed': {
      const { atMs, stage, fraction, loss } = event;
      if (!(fraction >= 0 && fraction <= 1)) return refuse('badNumber', `fraction is ${fraction}; allowed: 0 to 1`);
      if (loss !== null && !Number.isFinite(loss))
        return refuse('badNumber', `loss is ${loss}; allowed: a finite number, or none`);
      // A report that was overtaken by a newer one, or came twice.
      if (atMs < progress.atMs || (progress.kind === 'working' && atMs === progress.atMs)) return progress;
      return { kind: 'working', atMs, stage, fraction, loss };
    }
  }
}

function whyClosed(state: RoundState, round: number): Refusal | null {
  if (round > state.round)
    return refuse(
      'unknownRound',
      `round is ${round}; the open round is ${state.round}: use the round of the assignment`,
    );
  if (round === state.round && (state.phase.kind === 'collecting' || state.phase.kind === 'recruiting')) return null;
  return refuse(
    'late',
    `round ${round} no longer waits for agents (the run is ${state.phase.kind}, round ${state.round}): ask for a new assignment`,
  );
}
