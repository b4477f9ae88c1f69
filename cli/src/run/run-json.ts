import type { Agent, CohortMember, PublishedRound, Run } from '@flexlora/contracts/run/v1/run_service';
import { outcomeWord, phaseWord, stateWord, waitingWord } from './run-words.ts';
import { specDocumentOf } from './spec-document.ts';

/** What `--json` prints of a run: documented in docs/reference/run.md. */
export const runJson = (run: Run) => ({
  run_id: run.spec?.runId ?? null,
  phase: phaseWord(run.phase),
  round: run.round,
  standing: run.standing,
  waiting_for: waitingWord(run.waitingFor),
  paused: run.paused,
  outcome: outcomeWord(run.outcome),
  agents_enrolled: run.agentsEnrolled,
  agents_ready: run.agentsReady,
  updates_accepted: run.updatesAccepted,
  tasks_done: run.tasksDone,
  tasks_total: run.tasksTotal,
  published: run.published.map(publishedJson),
  cohort: run.cohort.map(memberJson),
  spec: run.spec === undefined ? null : specDocumentOf(run.spec),
});

const publishedJson = (round: PublishedRound) => ({
  round: round.round,
  published_at_ms: round.publishedAtMs,
  updates: round.updates,
  samples: round.samples,
  training_loss: round.trainingLoss ?? null,
  rank_counts: round.rankCounts,
  energy_dropped_max: round.energyDroppedMax,
  residual_max: round.residualMax,
  manifest_object: round.manifestObject,
  manifest_digest: round.manifestDigest,
  adapter_digest: round.adapterDigest,
  updates_digest: round.updatesDigest,
  rolled_back_to: round.rolledBackTo ?? null,
});

const memberJson = (member: CohortMember) => ({
  agent_id: member.agentId,
  ranks: member.ranks,
  rank_reason: member.rankReason,
  state: stateWord(member.state),
  fraction: member.fraction,
  loss: member.loss ?? null,
  reason: member.reason,
  samples: member.samples,
  bytes_done: member.bytesDone ?? null,
  bytes_total: member.bytesTotal ?? null,
  bytes_per_second: member.bytesPerSecond ?? null,
  seconds_left: member.secondsLeft ?? null,
});

export const agentJson = (agent: Agent) => ({
  agent_id: agent.agentId,
  enrolled_at_ms: agent.enrolledAtMs,
  ready: agent.ready,
  rounds_served: agent.roundsServed,
  ranks: agent.ranks,
  rank_reason: agent.rankReason,
  samples: agent.samples,
  part: agent.part === undefined ? null : memberJson(agent.part),
});
