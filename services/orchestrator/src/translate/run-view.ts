import {
  type CohortMember as CohortMemberMessage,
  MemberState,
  Outcome as OutcomeMessage,
  Phase as PhaseMessage,
  type PublishedRound as PublishedRoundMessage,
  type Run,
  WaitingFor as WaitingMessage,
} from '@flexlora/contracts/run/v1/run_service';
import {
  type AgentId,
  type CohortMember,
  headOf,
  type MemberProgress,
  type Outcome,
  type Phase,
  type PublishedRound,
  type RoundState,
  type WaitingCode,
  waitingFor,
  whyWaiting,
} from '@flexlora/core';
import { runSpecMessage } from './run-spec.ts';

export type RunExtent = 'withCohort' | 'withoutCohort';

export const extentOf = ({ withoutCohort }: { readonly withoutCohort: boolean }): RunExtent =>
  withoutCohort ? 'withoutCohort' : 'withCohort';

/** How a run stands, for operators. */
export function runMessage(state: RoundState, nowMs: number, extent: RunExtent): Run {
  const { phase, tasks } = headOf(state, nowMs);
  return {
    spec: runSpecMessage(state.spec),
    phase: PHASES[phase.kind],
    round: state.round,
    standing: whyWaiting(state, nowMs),
    paused: state.paused !== null,
    outcome: phase.kind === 'settled' ? OUTCOMES[phase.outcome] : OutcomeMessage.UNSPECIFIED,
    agentsEnrolled: state.agents.size,
    agentsReady: countReady(state, nowMs),
    updatesAccepted: countAccepted(state),
    tasksDone: tasks.done,
    tasksTotal: tasks.pending + tasks.leased + tasks.done,
    cohort: extent === 'withoutCohort' ? [] : sortedCohort(state).map(([id, member]) => memberMessage(id, member)),
    published: [...state.published.values()].map(publishedMessage),
    waitingFor: WAITING[waitingFor(headOf(state, nowMs), nowMs).code],
  };
}

const WAITING: Readonly<Record<WaitingCode, WaitingMessage>> = {
  agents: WaitingMessage.AGENTS,
  updates: WaitingMessage.UPDATES,
  aggregators: WaitingMessage.AGGREGATORS,
  tasks: WaitingMessage.TASKS,
  heldTask: WaitingMessage.HELD_TASK,
  objectStore: WaitingMessage.OBJECT_STORE,
  resume: WaitingMessage.RESUME,
  none: WaitingMessage.UNSPECIFIED,
};

const PHASES: Readonly<Record<Phase['kind'], PhaseMessage>> = {
  recruiting: PhaseMessage.RECRUITING,
  collecting: PhaseMessage.COLLECTING,
  aggregating: PhaseMessage.AGGREGATING,
  settled: PhaseMessage.SETTLED,
};

export const OUTCOMES: Readonly<Record<Outcome, OutcomeMessage>> = {
  completed: OutcomeMessage.COMPLETED,
  failed: OutcomeMessage.FAILED,
  cancelled: OutcomeMessage.CANCELLED,
};

function countReady(state: RoundState, nowMs: number): number {
  let ready = 0;
  for (const readyUntilMs of state.readiness.values()) if (readyUntilMs > nowMs) ready += 1;
  return ready;
}

function countAccepted(state: RoundState): number {
  let accepted = 0;
  for (const { progress } of state.cohort.values()) if (progress.kind === 'accepted') accepted += 1;
  return accepted;
}

const sortedCohort = (state: RoundState): readonly (readonly [AgentId, CohortMember])[] =>
  [...state.cohort].sort(([a], [b]) => (a < b ? -1 : 1));

function memberMessage(agentId: AgentId, { assignment, progress }: CohortMember): CohortMemberMessage {
  return {
    agentId,
    ranks: { ...assignment.ranks },
    rankReason: assignment.reason,
    ...progressMessage(progress),
  };
}

type ProgressMessage = Pick<CohortMemberMessage, 'state' | 'fraction' | 'loss' | 'reason' | 'samples'>;

const NOTHING_YET = { fraction: 0, loss: undefined, reason: '', samples: 0 } as const;

const STAGES = {
  downloading: MemberState.DOWNLOADING,
  training: MemberState.TRAINING,
  uploading: MemberState.UPLOADING,
} as const;

function progressMessage(progress: MemberProgress): ProgressMessage {
  switch (progress.kind) {
    case 'assigned':
      return { ...NOTHING_YET, state: MemberState.ASSIGNED };
    case 'working': {
      const { stage, fraction, loss } = progress;
      return { ...NOTHING_YET, state: STAGES[stage], fraction, loss: loss ?? undefined };
    }
    case 'accepted': {
      const { samples, loss } = progress.update;
      return { ...NOTHING_YET, state: MemberState.ACCEPTED, fraction: 1, samples, loss: loss ?? undefined };
    }
    case 'declined':
      return { ...NOTHING_YET, state: MemberState.DECLINED, reason: progress.reason };
    case 'failed':
      return { ...NOTHING_YET, state: MemberState.FAILED, reason: progress.reason };
  }
}

const publishedMessage = (round: PublishedRound): PublishedRoundMessage => ({
  round: round.round,
  publishedAtMs: round.publishedAtMs,
  updates: round.updates,
  samples: round.samples,
  trainingLoss: round.trainingLoss ?? undefined,
  rankCounts: Object.fromEntries(Object.entries(round.rankCounts).map(([rank, count]) => [Number(rank), count])),
  energyDroppedMax: round.energyDroppedMax,
  residualMax: round.residualMax,
  manifestObject: round.manifest.objectName,
  manifestDigest: round.manifest.digest,
  adapterDigest: round.adapterDigest ?? '',
  updatesDigest: round.updatesDigest ?? '',
  rolledBackTo: round.rolledBackTo ?? undefined,
});
