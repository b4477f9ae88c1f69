import type { Agent } from '@flexlora/contracts/run/v1/run_service';
import { type AgentId, type AgentRecord, isRefusal } from '@flexlora/core';

/** One enrolled agent, for operators. */
export function agentMessage(
  agentId: AgentId,
  agent: AgentRecord,
  { readyUntilMs, nowMs }: { readonly readyUntilMs: number; readonly nowMs: number },
): Agent {
  const carriesNone = isRefusal(agent.rank);
  return {
    agentId,
    enrolledAtMs: agent.enrolledAtMs,
    ready: readyUntilMs > nowMs,
    roundsServed: agent.roundsServed,
    ranks: carriesNone ? {} : { ...agent.rank.ranks },
    rankReason: carriesNone ? agent.rank.message : agent.rank.reason,
    samples: agent.profile.samples,
  };
}
