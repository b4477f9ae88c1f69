import type { AgentId } from '../ids.ts';
import { isRefusal } from '../refusal.ts';
import { compareKeys, type Summaries, summarise } from './persistent-map.ts';
import type { AgentRecord, Assignment, CohortMember, RoundState } from './round-state.ts';
import { seededHash, trainingSeed } from './seeded-hash.ts';

export interface CohortNeed {
  /** Agents to choose when there are enough: ⌈(goal − accepted) × overSelection⌉, or all there are if that is at least the goal. */
  readonly wanted: number;
  /** Agents without which the round cannot reach its minimum. */
  readonly missing: number;
}

export interface AgentCount {
  /** Could be chosen now. */
  readonly available: number;
  /** Could be chosen if they asked for work. */
  readonly eligible: number;
  /** Carry no rank of the run. */
  readonly tooSmall: number;
  /** Asked for work lately, whatever they do now. */
  readonly ready: number;
}

/** For a recruiting round, whose cohort is what it has accepted already: the whole cohort is looked at. */
export function countAgents({ agents, readiness, cohort }: RoundState, nowMs: number): AgentCount {
  const tooSmall = countTooSmall(agents);
  let eligible = agents.size - tooSmall;
  const ready = countReady(readiness, nowMs);
  let available = ready;
  for (const agentId of cohort.keys()) {
    const agent = agents.get(agentId);
    if (agent === undefined || isRefusal(agent.rank)) continue;
    eligible -= 1;
    if (isReady(readiness, agentId, nowMs)) available -= 1;
  }
  return { available, eligible, tooSmall, ready };
}

export const countTooSmall = (agents: RoundState['agents']): number =>
  summarise(agents, smallParts, tooSmallOf).reduce((sum, part) => sum + part, 0);

export const countReady = (readiness: RoundState['readiness'], nowMs: number): number =>
  summarise(readiness, readyParts, ascending).reduce((sum, part) => sum + countAbove(part, nowMs), 0);

/** The newest time until which any agent is ready; 0 when none was. */
export const newestReadiness = (readiness: RoundState['readiness']): number =>
  summarise(readiness, readyParts, ascending).reduce((newest, part) => Math.max(newest, part.at(-1) ?? 0), 0);

/** Agents are counted at every commit: most of them did not change since the last one. */
const smallParts: Summaries<AgentRecord, number> = new WeakMap();
const readyParts: Summaries<number, readonly number[]> = new WeakMap();

function tooSmallOf(agents: ReadonlyMap<string, AgentRecord>): number {
  let tooSmall = 0;
  for (const { rank } of agents.values()) if (isRefusal(rank)) tooSmall += 1;
  return tooSmall;
}

const ascending = (readyUntilMs: ReadonlyMap<string, number>): readonly number[] =>
  [...readyUntilMs.values()].sort((a, b) => a - b);

const isReady = (readiness: RoundState['readiness'], agentId: AgentId, nowMs: number): boolean =>
  (readiness.get(agentId) ?? 0) > nowMs;

/** How many of the ascending values are above the bound. */
function countAbove(values: readonly number[], bound: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! > bound) high = middle;
    else low = middle + 1;
  }
  return values.length - low;
}

/** What a recruiting round needs on top of what it holds already. */
export function cohortNeed({ spec, cohort }: RoundState, { eligible }: Pick<AgentCount, 'eligible'>): CohortNeed {
  const { goal, minimum, overSelection } = spec.cohort;
  const toGoal = Math.max(0, goal - cohort.size);
  return {
    // Waiting for more agents than are enrolled would only cost every round its patience.
    wanted: Math.min(Math.ceil(toGoal * overSelection), Math.max(toGoal, eligible)),
    missing: Math.max(0, minimum - cohort.size),
  };
}

/**
 * Chooses among the available agents: those who served fewest rounds first, then by lot. The lot is a hash of seed, round and agent, so
 * that a replay chooses the same.
 */
export function chooseCohort(
  state: RoundState,
  size: number,
  nowMs: number,
  { deadlineAtMs, handout }: Pick<Assignment, 'deadlineAtMs' | 'handout'>,
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
        handout,
      };
      return [[agentId, { assignment, progress: { kind: 'assigned', atMs: nowMs } }]] as const;
    });
}

/** The cohort of a recruiting round holds accepted updates only, whose agents have nothing more to do in it. */
const isAvailable = (state: RoundState, agentId: AgentId, agent: AgentRecord, nowMs: number): boolean =>
  isReady(state.readiness, agentId, nowMs) && !isRefusal(agent.rank) && !state.cohort.has(agentId);
