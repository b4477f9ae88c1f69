import type { AgentId } from '../ids.ts';
import { isRefusal } from '../refusal.ts';
import { compareKeys } from './persistent-map.ts';
import type { AgentRecord, CohortMember, RoundState } from './round-state.ts';
import { seededHash, trainingSeed } from './seeded-hash.ts';

export interface CohortNeed {
  /** Agents to choose when there are enough: ⌈(goal − accepted) × overSelection⌉, or all there are if that is at least the goal. */
  readonly wanted: number;
  /** Agents without which the round cannot reach its minimum. */
  readonly missing: number;
}

/** What a recruiting round needs on top of what it holds already. */
export function cohortNeed(state: RoundState): CohortNeed {
  const { goal, minimum, overSelection } = state.spec.cohort;
  const accepted = state.cohort.size;
  const toGoal = Math.max(0, goal - accepted);
  // Waiting for more agents than are enrolled would only cost every round its patience.
  const enrolled = countAvailable(state, Number.NEGATIVE_INFINITY).available;
  return {
    wanted: Math.min(Math.ceil(toGoal * overSelection), Math.max(toGoal, enrolled)),
    missing: Math.max(0, minimum - accepted),
  };
}

/** Agents that could be chosen now, and those that carry no rank. */
export function countAvailable(
  state: RoundState,
  nowMs: number,
): { readonly available: number; readonly tooSmall: number } {
  let available = 0;
  let tooSmall = 0;
  for (const [agentId, agent] of state.agents) {
    if (isRefusal(agent.rank)) tooSmall += 1;
    else if (isAvailable(state, agentId, agent, nowMs)) available += 1;
  }
  return { available, tooSmall };
}

/**
 * Chooses among the available agents: those who served fewest rounds first, then by lot. The lot is a hash of seed, round and agent, so
 * that a replay chooses the same.
 */
export function chooseCohort(
  state: RoundState,
  size: number,
  nowMs: number,
  deadlineAtMs: number,
): readonly (readonly [AgentId, CohortMember])[] {
  const { round, spec } = state;
  return [...state.agents]
    .filter(([agentId, agent]) => isAvailable(state, agentId, agent, nowMs))
    .map(([agentId, agent]) => ({ agentId, agent, lot: seededHash('cohort', spec.seed, round, agentId) }))
    .sort((a, b) => a.agent.roundsServed - b.agent.roundsServed || a.lot - b.lot || compareKeys(a.agentId, b.agentId))
    .slice(0, size)
    .flatMap(({ agentId, agent: { rank } }) => {
      if (isRefusal(rank)) return [];
      const assignment = {
        round,
        adapterVersion: round - 1,
        ranks: rank.ranks,
        reason: rank.reason,
        seed: trainingSeed(spec.seed, round, agentId),
        deadlineAtMs,
      };
      return [[agentId, { assignment, progress: { kind: 'assigned', atMs: nowMs } }]] as const;
    });
}

/** The cohort of a recruiting round holds accepted updates only, whose agents have nothing more to do in it. */
const isAvailable = (state: RoundState, agentId: AgentId, agent: AgentRecord, nowMs: number): boolean =>
  agent.readyUntilMs > nowMs && !isRefusal(agent.rank) && !state.cohort.has(agentId);
