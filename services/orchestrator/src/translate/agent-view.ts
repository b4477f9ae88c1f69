import type { Agent } from '@flexlora/contracts/run/v1/run_service';
import { type AgentId, isRefusal, type RoundState } from '@flexlora/core';
import { memberMessage } from './run-view.ts';

/** One enrolled agent, for operators. */
export function agentMessage(agentId: AgentId, state: RoundState, nowMs: number): Agent {
  const agent = state.agents.get(agentId)!;
  const member = state.cohort.get(agentId);
  const carriesNone = isRefusal(agent.rank);
  return {
    agentId,
    enrolledAtMs: agent.enrolledAtMs,
    ready: (state.readiness.get(agentId) ?? 0) > nowMs,
    roundsServed: agent.roundsServed,
    ranks: carriesNone ? {} : { ...agent.rank.ranks },
    rankReason: carriesNone ? agent.rank.message : agent.rank.reason,
    samples: agent.profile.samples,
    part: member === undefined ? undefined : memberMessage(agentId, member, nowMs),
  };
}
