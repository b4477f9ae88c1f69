import type { TaskId } from '../ids.ts';
import type { Refusal } from '../refusal.ts';
import type { StoredDocument } from './round-state.ts';
import type { ModuleSpec, StrategyName } from './run-spec.ts';

/** The machine's answer to one event. It is committed with the state, so that a repeated event gets the same answer. */
export type RoundReply =
  | { readonly kind: 'done' }
  /** The update is in the round: what was acknowledged is in the result exactly once. */
  | { readonly kind: 'updateAccepted'; readonly round: number; readonly objectName: string }
  | { readonly kind: 'taskGranted'; readonly task: AggregationTask }
  /** No task is waiting in this run. */
  | { readonly kind: 'noTask' }
  | { readonly kind: 'taskRenewed'; readonly leaseUntilMs: number }
  | Refusal;

/** One unit of aggregation as an aggregator gets it. */
export interface AggregationTask {
  readonly runId: string;
  readonly round: number;
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly leaseUntilMs: number;
  readonly modules: readonly ModuleSpec[];
  /** Components wanted: the run's largest rank. */
  readonly rank: number;
  readonly strategy: StrategyName;
  /** How much larger than the smallest possible the error of each module's sum may be, as a ratio. */
  readonly tolerance: number;
  /** The updates to sum (`RoundLedger`). */
  readonly ledger: StoredDocument;
  /** The manifest of the adapter that the round started from; null in round 0. */
  readonly previousManifest: StoredDocument | null;
  readonly completionSeed: number;
  /** Where the result goes: unique to this attempt. */
  readonly objectName: string;
}
