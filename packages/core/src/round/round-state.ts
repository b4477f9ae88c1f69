import type { AgentId, AggregatorId, EffectId, ModuleName, Sha256Hex, TaskId } from '../ids.ts';
import type { RankAssignment } from '../rank/assign-ranks.ts';
import type { ResourceProfile } from '../rank/resource-profile.ts';
import type { Refusal } from '../refusal.ts';
import type { RoundEffect } from './round-effect.ts';
import type { RunSpec, ScalingKind } from './run-spec.ts';
import type { TransferProgress } from './transfer-progress.ts';

/**
 * Everything that is known of a run. It is changed only by `step`, and only by replacement: maps are never mutated, so that what
 * changed between two states is found by comparing references (see `state-fields.ts`, which writes it to the store).
 */
export interface RoundState {
  readonly spec: RunSpec;
  readonly phase: Phase;
  /** Set while an operator holds the run: assignments and tasks are not handed out, updates are still taken. */
  readonly paused: { readonly sinceMs: number; readonly reason: string } | null;
  /** The open round. 0 makes the initial adapter and has no cohort. */
  readonly round: number;
  readonly agents: ReadonlyMap<AgentId, AgentRecord>;
  /** Until when an agent counts as present. Apart from the records, because it changes a hundred times as often. */
  readonly readiness: ReadonlyMap<AgentId, number>;
  /** The agents chosen for the open round. */
  readonly cohort: ReadonlyMap<AgentId, CohortMember>;
  /**
   * Accepted updates that are not in the round that is being aggregated, and count in the next: they came late, the stored ledger lacks
   * them, or the round was rolled back. Empty outside `aggregating`, but for a run that ended there.
   */
  readonly carried: ReadonlyMap<AgentId, CarriedUpdate>;
  /** The open round's units of aggregation; empty outside `aggregating`. */
  readonly tasks: ReadonlyMap<TaskId, TaskRecord>;
  /** Decided and not yet reported as done; a new lease-holder performs them again (each is idempotent). */
  readonly effects: ReadonlyMap<EffectId, RoundEffect>;
  /** Pending effects that fail again and again. */
  readonly troubles: ReadonlyMap<EffectId, EffectTrouble>;
  /** Counts what operators decided and how the run ended; 0: nothing yet. See `RunStanding`. */
  readonly standingSequence: number;
  /** Published rounds, by number. */
  readonly published: ReadonlyMap<number, PublishedRound>;
}

/**
 * | phase       | waits for                              | leaves to                                    |
 * |-------------|----------------------------------------|----------------------------------------------|
 * | recruiting  | enough ready agents                    | collecting                                   |
 * | collecting  | the goal, or the deadline              | aggregating; recruiting when below minimum   |
 * | aggregating | ledger, every task, the manifest       | recruiting (next round); settled             |
 * | settled     | nothing: completed, failed, cancelled  | –                                            |
 *
 * A run begins in `aggregating` of round 0: the initial adapter is the aggregate of no updates, or its origin's.
 */
export type Phase =
  | {
      readonly kind: 'recruiting';
      readonly sinceMs: number;
      /** When the round starts with fewer agents than wanted; null while fewer than the minimum are ready. */
      readonly startsAtMs: number | null;
      /** How often this round was collected without reaching the minimum. */
      readonly reopened: number;
    }
  | {
      readonly kind: 'collecting';
      readonly sinceMs: number;
      readonly deadlineAtMs: number;
      /** As in `recruiting`. */
      readonly reopened: number;
    }
  | { readonly kind: 'aggregating'; readonly sinceMs: number; readonly stage: AggregatingStage }
  | { readonly kind: 'settled'; readonly sinceMs: number; readonly outcome: Outcome; readonly reason: string };

export type AggregatingStage =
  /** Updates are still taken. Then the ledger is written; or, with `rollBackTo`, that round's adapter is published again. */
  | { readonly kind: 'reconciling'; readonly rollBackTo: number | null }
  | { readonly kind: 'writingLedger' }
  | { readonly kind: 'runningTasks'; readonly ledger: StoredDocument }
  | { readonly kind: 'publishing'; readonly ledger: StoredDocument }
  | { readonly kind: 'rollingBack'; readonly to: number }
  /** Only in round 0 of a run with an origin. */
  | { readonly kind: 'forking' };

export type Outcome = 'completed' | 'failed' | 'cancelled';

/** A JSON document in the object store, complete before any state mentions it. */
export interface StoredDocument {
  readonly objectName: string;
  readonly digest: Sha256Hex;
}

export interface AgentRecord {
  readonly profile: ResourceProfile;
  readonly enrolledAtMs: number;
  /** Rounds in which an update of this agent was accepted: those who served least are chosen first. */
  readonly roundsServed: number;
  /** What the profile carries in this run. An agent that carries no rank is not chosen; the refusal says why. */
  readonly rank: RankAssignment | Refusal;
  /** The newest accepted update, so that a repeat is known as such also after its round was published. */
  readonly lastAccepted: AcceptedUpdate | null;
  /** What it had not delivered when that round ended, in a run that carries late updates over. Good for the round after it. */
  readonly lateAssignment: Assignment | null;
}

export interface AcceptedUpdate {
  /** For which it was trained. */
  readonly round: number;
  /** The round in which it counts, where that is another. */
  readonly carriedInto?: number;
  readonly objectName: string;
  readonly digest: Sha256Hex;
}

export interface CohortMember {
  readonly assignment: Assignment;
  readonly progress: MemberProgress;
}

/** What one agent does in one round. */
export interface Assignment {
  readonly round: number;
  /** The adapter version to start from: the last published one. */
  readonly adapterVersion: number;
  /** By rank group. */
  readonly ranks: Readonly<Record<string, number>>;
  /** One sentence: why this rank. */
  readonly reason: string;
  /** Seed of this agent's training in this round. */
  readonly seed: number;
  readonly deadlineAtMs: number;
  /** How often the round was opened again before this: reports of an earlier hand-out are told apart by it. */
  readonly handout: number;
}

export type MemberProgress =
  | { readonly kind: 'assigned'; readonly atMs: number }
  | {
      readonly kind: 'working';
      readonly atMs: number;
      readonly stage: 'downloading' | 'training' | 'uploading';
      /** 0 to 1. */
      readonly fraction: number;
      readonly loss: number | null;
      /** Absent: it told none. */
      readonly transfer?: TransferProgress;
    }
  | { readonly kind: 'accepted'; readonly atMs: number; readonly update: CountedUpdate }
  | { readonly kind: 'declined'; readonly atMs: number; readonly reason: string }
  | { readonly kind: 'failed'; readonly atMs: number; readonly reason: string };

/** An update whose bytes are complete in the object store. */
export interface StoredUpdate {
  readonly objectName: string;
  readonly bytes: number;
  readonly digest: Sha256Hex;
  /** n_k: the update's weight is n_k / Σ n_j. */
  readonly samples: number;
  /** By rank group, as assigned. */
  readonly ranks: Readonly<Record<string, number>>;
  readonly alpha: number;
  readonly scaling: ScalingKind;
  /** Training loss of the last step in nats per token, or null. */
  readonly loss: number | null;
}

/** An update as it counts in a round. */
export interface CountedUpdate extends StoredUpdate {
  /** The earlier round that it was trained for, and from which it was carried over; absent: this round. */
  readonly trainedIn?: number;
}

export type CarriedUpdate = StoredUpdate & Required<Pick<CountedUpdate, 'trainedIn'>>;

export interface EffectTrouble {
  readonly sinceMs: number;
  readonly reason: string;
  /** Tries so far. */
  readonly attempts: number;
}

export interface TaskRecord {
  readonly modules: readonly ModuleName[];
  /** Counts from 1 with each claim; a result of an older attempt is refused. 0: never claimed. */
  readonly attempt: number;
  /** Of the newest claim; null: never claimed. Stands in the name of the attempt's object, which numbers that begin anew cannot make unique. */
  readonly claimId: string | null;
  /** Who failed at it, an entry an attempt; see `whatBecomes` in `task-lease.ts`. Leases that ran out and tasks handed back are none. */
  readonly failures: readonly AggregatorId[];
  /** Who claimed it and was not heard of again, an entry an attempt; at a bound the task is held. */
  readonly lapses: readonly AggregatorId[];
  readonly progress: TaskProgress;
  /** What the newest attempt that did not succeed said, for the operator. */
  readonly lastFailure: string | null;
}

export type TaskProgress =
  | {
      readonly kind: 'pending';
      /** Whose lease ran out, while nobody claimed the task since; its result is still taken. */
      readonly lapsedFrom: AggregatorId | null;
      /** After a lapse the task rests until then, and is not given to the next; null: it may be claimed. */
      readonly restsUntilMs: number | null;
    }
  | { readonly kind: 'leased'; readonly to: AggregatorId; readonly untilMs: number }
  | { readonly kind: 'done'; readonly result: TaskResult }
  /** It went wrong so often that an operator must look: nobody gets it before `retryRequested`. `lapsedFrom` as in `pending`. */
  | { readonly kind: 'held'; readonly reason: string; readonly lapsedFrom: AggregatorId | null };

/** What an aggregator made of a task. */
export interface TaskResult {
  readonly objectName: string;
  readonly bytes: number;
  readonly digest: Sha256Hex;
  /** SHA-256 of each component's slab, so that a reader of a prefix can verify it. */
  readonly componentDigests: readonly Sha256Hex[];
  readonly modules: readonly ModuleResult[];
}

export interface ModuleResult {
  readonly name: ModuleName;
  /** Components in the object: min(rank.max, out, in). */
  readonly rank: number;
  /** σ, descending. */
  readonly spectrum: readonly number[];
  readonly rankSum: number;
  /** The kernel's: one of `SUM_METHODS`. */
  readonly method: string;
  readonly energyKept: number;
  readonly energyTotal: number;
  /** The standard error of `energyTotal`; 0 where it is known to rounding. */
  readonly energyTotalError: number;
  /** Measured, relative to W. */
  readonly residual: number;
  /** Blocks of the kernel's iteration; 0 where its method has none. */
  readonly blocks: number;
  /** Whether the planned method reached the tolerance. */
  readonly converged: boolean;
  /** The planned method where it did not, and `method` took its place. */
  readonly fallbackFrom: string | null;
  /** What was asked for. */
  readonly tolerance: number;
  /** How much larger than the smallest possible the error is, minus 1, as estimated; 0 where the method is exact. */
  readonly excess: number;
  /** Upper bound of the bytes that the kernel held, by its plan. */
  readonly scratchBytes: number;
  readonly seconds: number;
}

export interface PublishedRound {
  readonly round: number;
  readonly manifest: StoredDocument;
  /** As in the manifest; null: it was published before manifests had it. */
  readonly adapterDigest: Sha256Hex | null;
  readonly updatesDigest: Sha256Hex | null;
  /** Whose adapter an operator had published again; null: the round was aggregated. */
  readonly rolledBackTo: number | null;
  readonly publishedAtMs: number;
  readonly updates: number;
  readonly samples: number;
  /** Mean of the updates' losses weighted by samples, or null when none reported one. */
  readonly trainingLoss: number | null;
  /** Rank of the first rank group → number of updates. */
  readonly rankCounts: Readonly<Record<string, number>>;
  /** Largest over modules of energy dropped / total energy. */
  readonly energyDroppedMax: number;
  readonly residualMax: number;
}
