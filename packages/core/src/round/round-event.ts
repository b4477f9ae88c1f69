import type { AgentId, AggregatorId, EffectId, TaskId } from '../ids.ts';
import type { ResourceProfile } from '../rank/resource-profile.ts';
import type { LedgerUpdate, RoundLedger } from './documents/round-ledger.ts';
import type { RunStanding } from './documents/run-standing.ts';
import type { RoundEffectOutcome } from './round-effect.ts';
import type { PublishedRound, StoredUpdate, TaskResult } from './round-state.ts';
import type { RunSpec } from './run-spec.ts';
import type { TransferProgress } from './transfer-progress.ts';

/** What happened, with the time at which the door saw it. Time enters the machine in no other way. */
export type RoundEvent =
  | { readonly kind: 'runCreated'; readonly atMs: number; readonly spec: RunSpec }
  /** The round store lost the run, or the newest of it; this is what the object store knows. */
  | {
      readonly kind: 'runRecovered';
      readonly atMs: number;
      readonly spec: RunSpec;
      /** 0, 1, 2 … without a gap. */
      readonly published: readonly PublishedRound[];
      /** The updates of the round after the last published one: those of its ledger, or else `updatesOwed`. */
      readonly admitted: readonly LedgerUpdate[];
      /** `closed`: the open round has a ledger, which holds exactly `admitted`. */
      readonly openRound: 'collecting' | 'closed';
      /** Of a closed round in a run that carries late updates over: those that were verified for it and are not in its ledger. */
      readonly carried: readonly LedgerUpdate[];
      /** The newest that was written; null: nothing but rounds ever happened to the run. */
      readonly standing: RunStanding | null;
      /**
       * For a state that is behind: the ledgers of the published rounds from the one on that the state has open, ascending; rounds
       * without one (`AdapterManifest.ledger`) are left out. None where there is no state.
       */
      readonly ledgers: readonly RoundLedger[];
    }
  | {
      readonly kind: 'agentEnrolled';
      readonly atMs: number;
      readonly agentId: AgentId;
      readonly profile: ResourceProfile;
    }
  /** These agents asked for work: they are present until `agentReadyMs` from now. A door collects them for a moment; unknown ones are left out. */
  | { readonly kind: 'agentsReady'; readonly atMs: number; readonly agentIds: readonly AgentId[] }
  | {
      readonly kind: 'agentProgressed';
      readonly atMs: number;
      readonly agentId: AgentId;
      readonly round: number;
      /** As in the assignment; a report of another hand-out changes nothing. */
      readonly handout: number;
      readonly stage: 'downloading' | 'training' | 'uploading';
      readonly fraction: number;
      readonly loss: number | null;
      /** Absent: it told none. */
      readonly transfer?: TransferProgress;
    }
  | {
      readonly kind: 'assignmentDeclined';
      readonly atMs: number;
      readonly agentId: AgentId;
      readonly round: number;
      readonly handout: number;
      readonly reason: string;
    }
  | {
      readonly kind: 'agentFailed';
      readonly atMs: number;
      readonly agentId: AgentId;
      readonly round: number;
      readonly handout: number;
      readonly reason: string;
    }
  | {
      readonly kind: 'updateStored';
      readonly atMs: number;
      readonly agentId: AgentId;
      readonly round: number;
      readonly update: StoredUpdate;
    }
  | {
      readonly kind: 'taskClaimed';
      readonly atMs: number;
      readonly aggregatorId: AggregatorId;
      /** 8 hexadecimal digits, kept by the aggregator until it hears of a task: the same claim again gets the same task. */
      readonly claimId: string;
    }
  | {
      readonly kind: 'taskRenewed';
      readonly atMs: number;
      readonly aggregatorId: AggregatorId;
      readonly round: number;
      readonly taskId: TaskId;
      readonly attempt: number;
    }
  | {
      readonly kind: 'taskCompleted';
      readonly atMs: number;
      readonly aggregatorId: AggregatorId;
      readonly round: number;
      readonly taskId: TaskId;
      readonly attempt: number;
      /** The object's name is not the aggregator's to choose: it follows from the task. */
      readonly result: Omit<TaskResult, 'objectName'>;
    }
  | {
      readonly kind: 'taskFailed';
      readonly atMs: number;
      readonly aggregatorId: AggregatorId;
      readonly round: number;
      readonly taskId: TaskId;
      readonly attempt: number;
      readonly reason: string;
      /**
       * `refused`: trying again gives the same answer, so the run fails and says why. `retry`: the work itself failed, which counts
       * towards `TASK_ATTEMPTS_MAX`. `handedBack`: a backend is away or the process stops, which counts as nothing.
       */
      readonly verdict: 'retry' | 'refused' | 'handedBack';
    }
  | {
      readonly kind: 'effectDone';
      readonly atMs: number;
      readonly effectId: EffectId;
      readonly outcome: RoundEffectOutcome;
    }
  /** An effect failed so often that people should know; it is tried further. */
  | {
      readonly kind: 'effectTroubled';
      readonly atMs: number;
      readonly effectId: EffectId;
      readonly reason: string;
      /** So far. */
      readonly attempts: number;
    }
  | { readonly kind: 'pauseRequested'; readonly atMs: number; readonly reason: string }
  | { readonly kind: 'resumeRequested'; readonly atMs: number }
  | { readonly kind: 'cancelRequested'; readonly atMs: number; readonly reason: string }
  /** Another try of the open round, also out of `settled: failed`. What was accepted stays. */
  | { readonly kind: 'retryRequested'; readonly atMs: number; readonly reason: string }
  /** Publishes an earlier adapter again as the open round's. What the round accepted counts in the next. */
  | { readonly kind: 'rollbackRequested'; readonly atMs: number; readonly toRound: number; readonly reason: string }
  /** Only says that time passed; offered when `wakeAtMs(state)` is due. */
  | { readonly kind: 'ticked'; readonly atMs: number };
