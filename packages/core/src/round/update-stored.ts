import { COHORT_AGENTS_MAX } from '../limits.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { type Answer, answer } from './answer.ts';
import { checkUpdate } from './check-update.ts';
import { carryOver, countUpdate } from './count-update.ts';
import { unknownAgent } from './enrolment.ts';
import type { RoundEvent } from './round-event.ts';
import type { AgentRecord, RoundState } from './round-state.ts';
import { deliveryHead } from './run-head.ts';
import { type OpenDelivery, takesUpdate } from './takes-update.ts';

type UpdateStored = Extract<RoundEvent, { kind: 'updateStored' }>;

/**
 * An update whose bytes are complete. What was acknowledged stays acknowledged: the same bytes again get the same receipt, in any phase.
 * An object that is refused stays where it is until its round is swept: an open round deletes nothing.
 */
export function onUpdateStored(state: RoundState, event: UpdateStored): Answer {
  const agent = state.agents.get(event.agentId);
  if (agent === undefined) return answer(state, unknownAgent(event.agentId));
  const last = agent.lastAccepted;
  if (last?.round === event.round && last.digest === event.update.digest) return receipt(state, agent);
  const delivery = whereItCounts(state, agent, event);
  return isRefusal(delivery) ? answer(state, delivery) : accept(state, delivery, event);
}

function whereItCounts(
  state: RoundState,
  agent: AgentRecord,
  { agentId, round, update }: UpdateStored,
): OpenDelivery | Refusal {
  if (agent.lastAccepted?.round === round) {
    return refuse(
      'alreadyAccepted',
      `round ${round} holds ${agent.lastAccepted.digest} of agent ${agentId}; got ${update.digest}: an update is final, go on with the next assignment`,
    );
  }
  const member = state.cohort.get(agentId) ?? null;
  const delivery = takesUpdate(deliveryHead(state), agent, member, agentId, round);
  if (isRefusal(delivery)) return delivery;
  if (Math.max(state.cohort.size, state.carried.size) >= COHORT_AGENTS_MAX && delivery.countsIn !== round) {
    return refuse(
      'late',
      `round ${delivery.countsIn} holds ${COHORT_AGENTS_MAX} agents, as many as it may, and takes no late update of round ${round}: ask for a new assignment`,
    );
  }
  return checkUpdate(update, delivery.assignment.ranks) ?? delivery;
}

function accept(state: RoundState, { countsIn }: OpenDelivery, { agentId, round, update, atMs }: UpdateStored): Answer {
  const trained = countsIn === round ? update : { ...update, trainedIn: round };
  const accepted =
    countsIn === state.round ? countUpdate(state, { ...trained, agentId }, atMs) : carryOver(state, agentId, trained);
  return receipt(accepted, accepted.agents.get(agentId)!);
}

function receipt(state: RoundState, { lastAccepted }: AgentRecord): Answer {
  const { round, carriedInto, objectName } = lastAccepted!;
  return answer(state, { kind: 'updateAccepted', round: carriedInto ?? round, objectName });
}
