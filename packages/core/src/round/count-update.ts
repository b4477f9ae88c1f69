import type { AgentId } from '../ids.ts';
import type { LedgerUpdate, RoundLedger } from './documents/round-ledger.ts';
import { withEntry } from './persistent-map.ts';
import type {
  AcceptedUpdate,
  AgentRecord,
  CohortMember,
  CountedUpdate,
  RoundState,
  StoredUpdate,
} from './round-state.ts';
import { trainingSeed } from './seeded-hash.ts';

/** Takes an update into the open round, in which it counts from now on: there is no way back out but into the next round (`carryOver`). */
export function countUpdate(state: RoundState, { agentId, ...update }: LedgerUpdate, atMs: number): RoundState {
  const assignment = assignmentOf(state, agentId, update, atMs);
  const member: CohortMember = { assignment, progress: { kind: 'accepted', atMs, update } };
  return {
    ...state,
    cohort: withEntry(state.cohort, agentId, member),
    agents: withAccepted(state.agents, agentId, acceptedAs(update, state.round)),
  };
}

/** Takes an update that does not count in the open round into the next one. */
export function carryOver(state: RoundState, agentId: AgentId, update: CountedUpdate): RoundState {
  const carried = { ...update, trainedIn: update.trainedIn ?? state.round };
  return {
    ...state,
    carried: withEntry(state.carried, agentId, carried),
    agents: withAccepted(state.agents, agentId, acceptedAs(carried, state.round + 1)),
  };
}

/** What an agent's record says of an update that counts in `round`. */
export const acceptedAs = ({ trainedIn, objectName, digest }: CountedUpdate, round: number): AcceptedUpdate =>
  trainedIn === undefined
    ? { round, objectName, digest }
    : { round: trainedIn, carriedInto: round, objectName, digest };

/** What was handed out, where it is that; else what must have been. */
function assignmentOf(
  { cohort, round, spec }: RoundState,
  agentId: AgentId,
  { ranks, trainedIn }: CountedUpdate,
  atMs: number,
): CohortMember['assignment'] {
  const assigned = cohort.get(agentId)?.assignment;
  if (assigned !== undefined && trainedIn === undefined && sameRanks(assigned.ranks, ranks)) return assigned;
  return {
    round,
    adapterVersion: round - 1,
    ranks,
    reason:
      trainedIn === undefined
        ? 'as in the update, which was found in the object store'
        : `as in the update, which was carried over from round ${trainedIn}`,
    seed: trainingSeed(spec.seed, round, agentId),
    deadlineAtMs: atMs,
    handout: 0,
  };
}

export function sameRanks(a: StoredUpdate['ranks'], b: StoredUpdate['ranks']): boolean {
  const groups = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...groups].every((group) => a[group] === b[group]);
}

/** What agents delivered to rounds that this state did not see: they may ask for their receipts. */
export const withReceipts = (state: RoundState, { round, updates }: RoundLedger): RoundState => ({
  ...state,
  agents: updates.reduce(
    (agents, { agentId, ...update }) => withAccepted(agents, agentId, acceptedAs(update, round)),
    state.agents,
  ),
});

/** An agent may not have enrolled yet after a recovery: its record is made of the cohort then. */
function withAccepted(agents: RoundState['agents'], agentId: AgentId, accepted: AcceptedUpdate): RoundState['agents'] {
  const agent = agents.get(agentId);
  if (agent === undefined) return agents;
  const isNew = agent.lastAccepted?.objectName !== accepted.objectName;
  const record: AgentRecord = {
    ...agent,
    roundsServed: agent.roundsServed + (isNew ? 1 : 0),
    lastAccepted: accepted,
  };
  return withEntry(agents, agentId, record);
}
