import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
import { unknownAgent } from './enrolment.ts';
import { cutMessage } from './operator-requests.ts';
import { withEntry } from './persistent-map.ts';
import type { RoundEvent } from './round-event.ts';
import type { CohortMember, MemberProgress, RoundState } from './round-state.ts';
import { deliveryHead } from './run-head.ts';
import { takesUpdate } from './takes-update.ts';
import { validateTransfer } from './transfer-progress.ts';

export type MemberReport = Extract<RoundEvent, { kind: 'agentProgressed' | 'assignmentDeclined' | 'agentFailed' }>;
type ReportNumbers = Pick<Extract<RoundEvent, { kind: 'agentProgressed' }>, 'fraction' | 'loss' | 'transfer'>;

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
  // The round is about to be handed out again, perhaps to this very agent: it may go on with what it does.
  if (event.round === state.round && state.phase.kind === 'recruiting') return done(state);
  const agent = state.agents.get(event.agentId)!;
  const member = state.cohort.get(event.agentId) ?? null;
  // It has nothing more to do in the round, whatever it says.
  const isDone = member?.progress.kind === 'accepted' && event.round === state.round;
  if (isDone && state.phase.kind !== 'settled') return done(state);
  const delivery = takesUpdate(deliveryHead(state), agent, member, event.agentId, event.round);
  if (isRefusal(delivery)) return answer(state, delivery);
  // The round does not wait for it any more, but its update would be taken: it may go on as well.
  if (member === null || event.round !== state.round || state.phase.kind !== 'collecting') return done(state);
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
      const { atMs, stage, fraction, loss, transfer } = event;
      const refusal = validateReport(event);
      if (refusal !== null) return refusal;
      // A report that was overtaken by a newer one, or came twice.
      if (atMs < progress.atMs || (progress.kind === 'working' && atMs === progress.atMs)) return progress;
      return { kind: 'working', atMs, stage, fraction, loss, ...(transfer === undefined ? {} : { transfer }) };
    }
  }
}

/** The first number of a progress report that cannot be, or null. Doors ask too: an event on its way, as JSON, holds no NaN and no infinity. */
export function validateReport({ fraction, loss, transfer }: ReportNumbers): Refusal | null {
  if (!(fraction >= 0 && fraction <= 1)) return refuse('badNumber', `fraction is ${fraction}; allowed: 0 to 1`);
  if (loss !== null && !Number.isFinite(loss))
    return refuse('badNumber', `loss is ${loss}; allowed: a finite number, or none`);
  return transfer === undefined ? null : validateTransfer(transfer);
}
