import { ALPHA_MAX, UPDATE_SAMPLES_MAX } from '../limits.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { type Answer, answer, withEffect } from './answer.ts';
import { unknownAgent } from './enrolment.ts';
import { withEntry } from './persistent-map.ts';
import { effectId } from './round-effect.ts';
import type { RoundEvent } from './round-event.ts';
import type { AgentRecord, Assignment, RoundState, StoredUpdate } from './round-state.ts';

type UpdateStored = Extract<RoundEvent, { kind: 'updateStored' }>;

/**
 * An update whose bytes are complete. What was acknowledged stays acknowledged: the same bytes again get the same receipt, in any phase.
 * An object that is refused is deleted, if this state knows for certain that nothing mentions it.
 */
export function onUpdateStored(state: RoundState, event: UpdateStored): Answer {
  const agent = state.agents.get(event.agentId);
  // Without the agent's record nothing is known of the object: after a recovery it may be an accepted one.
  if (agent === undefined) return answer(state, unknownAgent(event.agentId));
  const last = agent.lastAccepted;
  if (last?.round === event.round && last.digest === event.update.digest) {
    return answer(discard(state, agent, event), {
      kind: 'updateAccepted',
      round: last.round,
      objectName: last.objectName,
    });
  }
  const refusal = whyRefused(state, agent, event);
  return refusal === null ? accept(state, agent, event) : answer(discard(state, agent, event), refusal);
}

function whyRefused(state: RoundState, agent: AgentRecord, { agentId, round, update }: UpdateStored): Refusal | null {
  if (agent.lastAccepted?.round === round) {
    return refuse(
      'alreadyAccepted',
      `round ${round} holds ${agent.lastAccepted.digest} of agent ${agentId}; got ${update.digest}: an update is final, go on with the next assignment`,
    );
  }
  if (round > state.round)
    return refuse(
      'unknownRound',
      `round is ${round}; the open round is ${state.round}: use the round of the assignment`,
    );
  if (round < state.round || state.phase.kind !== 'collecting') {
    return refuse(
      'late',
      `round ${round} no longer takes updates (the run is ${state.phase.kind}, round ${state.round}): ask for a new assignment`,
    );
  }
  const assignment = state.cohort.get(agentId)?.assignment;
  if (assignment === undefined)
    return refuse('notAssigned', `agent ${agentId} has no assignment in round ${round}: ask for one`);
  if (state.effects.has(effectId({ kind: 'deleteUpload', objectName: update.objectName }))) {
    return refuse('late', `${update.objectName} was refused and is being deleted: upload the update again`);
  }
  return checkUpdate(update, assignment);
}

/** Bytes were verified by the door; here stand the facts that the sum depends on. */
function checkUpdate(update: StoredUpdate, assignment: Assignment): Refusal | null {
  const groups = new Set([...Object.keys(assignment.ranks), ...Object.keys(update.ranks)]);
  for (const group of groups) {
    const got = update.ranks[group];
    const allowed = assignment.ranks[group];
    if (got !== allowed) {
      return refuse(
        'rankOutOfRange',
        `rank of ${group} is ${got ?? 'missing'}; the assignment allows ${allowed ?? 'no such group'}: train at the assigned rank`,
      );
    }
  }
  if (!(Number.isInteger(update.samples) && update.samples >= 1 && update.samples <= UPDATE_SAMPLES_MAX)) {
    return badNumber('samples', update.samples, `a whole number from 1 to ${UPDATE_SAMPLES_MAX}`);
  }
  if (!(Number.isSafeInteger(update.bytes) && update.bytes >= 1))
    return badNumber('bytes', update.bytes, 'a whole number above 0');
  if (!(update.alpha > 0 && update.alpha <= ALPHA_MAX))
    return badNumber('alpha', update.alpha, `above 0, at most ${ALPHA_MAX}`);
  if (update.loss !== null && !Number.isFinite(update.loss))
    return badNumber('loss', update.loss, 'a finite number, or none');
  return null;
}

const badNumber = (field: string, got: number, allowed: string): Refusal =>
  refuse('badNumber', `${field} of the update is ${got}; allowed: ${allowed}`);

function accept(state: RoundState, agent: AgentRecord, { agentId, round, update, atMs }: UpdateStored): Answer {
  const { objectName, digest } = update;
  const member = state.cohort.get(agentId)!;
  const served: AgentRecord = {
    ...agent,
    roundsServed: agent.roundsServed + 1,
    lastAccepted: { round, objectName, digest },
  };
  return answer(
    {
      ...state,
      cohort: withEntry(state.cohort, agentId, { ...member, progress: { kind: 'accepted', atMs, update } }),
      agents: withEntry(state.agents, agentId, served),
    },
    { kind: 'updateAccepted', round, objectName },
  );
}

/**
 * Certain is: this agent's update of the round is another object, or it has none in the round. Of a round before its newest accepted one, or
 * before its enrolment, the state does not know; such an object is left where it is, beside the round's others, and nobody deletes it.
 */
function discard(state: RoundState, agent: AgentRecord, { round, update: { objectName } }: UpdateStored): RoundState {
  const last = agent.lastAccepted;
  const certain =
    round >= agent.enrolledInRound &&
    (last === null || last.round < round || (last.round === round && last.objectName !== objectName));
  return certain ? withEffect(state, { kind: 'deleteUpload', objectName }) : state;
}
