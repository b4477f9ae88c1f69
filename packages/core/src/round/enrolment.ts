import type { AgentId } from '../ids.ts';
import { RUN_AGENTS_MAX } from '../limits.ts';
import { assignRanks } from '../rank/assign-ranks.ts';
import { validateProfile } from '../rank/validate-profile.ts';
import { isRefusal, refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
import { acceptedAs } from './count-update.ts';
import { canonicalJson } from './documents/canonical-json.ts';
import { withEntry, withoutEntry } from './persistent-map.ts';
import type { RoundEvent } from './round-event.ts';
import type { AcceptedUpdate, AgentRecord, RoundState } from './round-state.ts';

type AgentEnrolled = Extract<RoundEvent, { kind: 'agentEnrolled' }>;
type AgentsReady = Extract<RoundEvent, { kind: 'agentsReady' }>;

/** An agent whose hardware carries no rank of the run is enrolled all the same: its record says why it is not chosen. */
export function onAgentEnrolled(state: RoundState, { agentId, profile, atMs }: AgentEnrolled): Answer {
  if (state.phase.kind === 'settled') {
    return answer(
      state,
      refuse('wrongPhase', `run ${state.spec.runId} has ended (${state.phase.outcome}): enrol in another run`),
    );
  }
  const bad = validateProfile(profile);
  if (bad !== null) return answer(state, bad);
  const known = state.agents.get(agentId);
  if (known !== undefined && canonicalJson(known.profile) === canonicalJson(profile)) return done(state);
  if (known === undefined && state.agents.size >= RUN_AGENTS_MAX) {
    return answer(
      state,
      refuse(
        'runFull',
        `run ${state.spec.runId} has ${state.agents.size} agents; allowed: ${RUN_AGENTS_MAX}: enrol in another run`,
      ),
    );
  }
  const rank = assignRanks(state.spec, profile);
  const record: AgentRecord =
    known === undefined ? newcomer(state, agentId, { profile, rank, enrolledAtMs: atMs }) : { ...known, profile, rank };
  return done({
    ...state,
    agents: withEntry(state.agents, agentId, record),
    readiness: isRefusal(rank) ? withoutEntry(state.readiness, agentId) : state.readiness,
  });
}

/**
 * Agents ask for work. An older event that comes late makes none absent earlier. Only those that carry a rank of the run are noted: the
 * others cannot be chosen, however ready they are.
 */
export function onAgentsReady(state: RoundState, { agentIds, atMs }: AgentsReady): Answer {
  if (state.phase.kind === 'settled') return done(state);
  const readyUntilMs = atMs + state.spec.timing.agentReadyMs;
  let { readiness } = state;
  for (const agentId of agentIds) {
    const agent = state.agents.get(agentId);
    if (agent === undefined || isRefusal(agent.rank)) continue;
    if (readyUntilMs > (readiness.get(agentId) ?? 0)) readiness = withEntry(readiness, agentId, readyUntilMs);
  }
  return done(readiness === state.readiness ? state : { ...state, readiness });
}

export const unknownAgent = (agentId: AgentId) =>
  refuse('unknownAgent', `agent ${agentId} is not enrolled in this run: enrol first`);

function newcomer(
  state: RoundState,
  agentId: AgentId,
  told: Pick<AgentRecord, 'profile' | 'rank' | 'enrolledAtMs'>,
): AgentRecord {
  const lastAccepted = acceptedBefore(state, agentId);
  return {
    ...told,
    roundsServed: lastAccepted === null ? 0 : 1,
    lastAccepted,
    lateAssignment: null,
  };
}

/** After a recovery the run may hold an update of an agent that has not enrolled again yet. */
function acceptedBefore({ carried, cohort, round }: RoundState, agentId: AgentId): AcceptedUpdate | null {
  const owed = carried.get(agentId);
  if (owed !== undefined) return acceptedAs(owed, round + 1);
  const progress = cohort.get(agentId)?.progress;
  return progress?.kind === 'accepted' ? acceptedAs(progress.update, round) : null;
}
