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
  sentenceOf,
  type WaitingCode,
  waitingFor,
} from '@flexlora/core';
import type { RunHeadView } from '../run-reader.ts';
import { runSpecMessage } from './run-spec.ts';
import { transferMessage } from './transfer-progress.ts';

export type RunExtent = 'withCohort' | 'withoutCohort';

export const extentOf = ({ withoutCohort }: { readonly withoutCohort: boolean }): RunExtent =>
  withoutCohort ? 'withoutCohort' : 'withCohort';

/** How a run stands, for operators. */
export const runMessage = (state: RoundState, nowMs: number): Run => ({
  ...runSummary({ ...headOf(state, nowMs), spec: state.spec }, state.published.values(), nowMs),
  cohort: sortedCohort(state).map(([id, member]) => memberMessage(id, member, nowMs)),
});

/** The same without the cohort, which costs nothing that grows with the run. Agents are counted as of the newest commit. */
export function runSummary(head: RunHeadView, published: Iterable<PublishedRound>, nowMs: number): Run {
  const { spec, phase, paused, round, agents, cohort, tasks } = head;
  const waiting = waitingFor(head, nowMs);
  return {
    spec: runSpecMessage(spec),
    phase: PHASES[phase.kind],
    round,
    standing: sentenceOf(waiting),
    paused: paused !== null,
    outcome: phase.kind === 'settled' ? OUTCOMES[phase.outcome] : OutcomeMessage.UNSPECIFIED,
    agentsEnrolled: agents.enrolled,
    agentsReady: agents.ready,
    updatesAccepted: cohort.accepted,
    tasksDone: tasks.done,
    tasksTotal: tasks.pending + tasks.resting + tasks.leased + tasks.done + tasks.held,
    cohort: [],
    published: [...published].map(publishedMessage),
    waitingFor: WAITING[waiting.code],
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

const sortedCohort = (state: RoundState): readonly (readonly [AgentId, CohortMember])[] =>
  [...state.cohort].sort(([a], [b]) => (a < b ? -1 : 1));

export function memberMessage(
  agentId: AgentId,
  { assignment, progress }: CohortMember,
  nowMs: number,
): CohortMemberMessage {
  return {
    agentId,
    ranks: { ...assignment.ranks },
    rankReason: assignment.reason,
    ...progressMessage(progress, nowMs),
  };
}

type ProgressMessage = Omit<CohortMemberMessage, 'agentId' | 'ranks' | 'rankReason'>;

const NOTHING_YET = {
  fraction: 0,
  loss: undefined,
  reason: '',
  samples: 0,
  bytesDone: undefined,
  bytesTotal: undefined,
  bytesPerSecond: undefined,
  secondsLeft: undefined,
} as const;

const STAGES = {
  downloading: MemberState.DOWNLOADING,
  training: MemberState.TRAINING,
  uploading: MemberState.UPLOADING,
} as const;

function progressMessage(progress: MemberProgress, nowMs: number): ProgressMessage {
  switch (progress.kind) {
    case 'assigned':
      return { ...NOTHING_YET, state: MemberState.ASSIGNED };
    case 'working': {
      const { atMs, stage, fraction, loss, transfer } = progress;
      const told = { ...NOTHING_YET, state: STAGES[stage], fraction, loss: loss ?? undefined };
      return transfer === undefined ? told : { ...told, ...transferMessage(transfer, nowMs - atMs) };
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
