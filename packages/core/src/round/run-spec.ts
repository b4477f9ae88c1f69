import type { UpdateFormat } from '../adapter/update-format.ts';
import type { ModuleName, RunId, Sha256Hex } from '../ids.ts';
import { TOLERANCE_STANDARD } from '../limits.ts';

/** How `s` follows from α and the rank: `alpha / r` (PEFT's default), `alpha / √r` (rsLoRA), or α itself. */
export type ScalingKind = 'alphaOverRank' | 'alphaOverSqrtRank' | 'constant';

/** Where Σ goes when an adapter is handed out as factors: into B (the paper's reference code), into A, or √Σ into each. */
export type SvdSplit = 'b' | 'a' | 'even';

export type StrategyName = 'flexlora' | 'flexlora-residual' | 'fedavg' | 'hetlora';

/**
 * How ranks follow from resources. `deadline-fit` (the default) takes the largest tier that fits memory and the round's deadline,
 * `memory-fit` looks at memory alone, `uniform` gives everybody `max`.
 */
export type RankPolicy = 'deadline-fit' | 'memory-fit' | 'uniform';

export type LatePolicy = 'refuse' | 'carry';

/** A published adapter of another run, with which a run begins instead of one of its own. */
export interface RunOrigin {
  readonly runId: RunId;
  readonly round: number;
  readonly manifestDigest: Sha256Hex;
}

/** One LoRA target matrix `W` of the base model, `out × in`. */
export interface ModuleSpec {
  readonly name: ModuleName;
  readonly out: number;
  readonly in: number;
  /** Modules of one group share a rank, for example `attention` and `feed-forward`. */
  readonly rankGroup: string;
}

/** What a run is: fixed when it is created, stored whole in its specification object. Durations are in milliseconds. */
export interface RunSpec {
  readonly runId: RunId;
  readonly baseModel: { readonly name: string; readonly digest: Sha256Hex };
  readonly modules: readonly ModuleSpec[];
  readonly rank: {
    readonly min: number;
    /** Also the number of components of every published adapter. */
    readonly max: number;
    /** Ascending, between min and max; an agent gets the largest tier that it carries. */
    readonly tiers: readonly number[];
    readonly policy: RankPolicy;
  };
  /** Published adapters after the initial one. */
  readonly rounds: number;
  readonly cohort: {
    /** Updates after which a round closes without waiting for the rest. */
    readonly goal: number;
    /** Updates without which a round is not aggregated. */
    readonly minimum: number;
    /** At least 1; the cohort is `⌈goal × overSelection⌉` agents. */
    readonly overSelection: number;
    /** What becomes of an update that comes after its round has closed: it is refused, or counts in the next round, once. */
    readonly late: LatePolicy;
  };
  readonly timing: {
    /** From the hand-out of assignments to the closing of the round. */
    readonly collectingMs: number;
    /** An aggregation task that is not renewed for so long is given to another aggregator. */
    readonly taskLeaseMs: number;
    /** An agent that has not asked for work for so long is not chosen. */
    readonly agentReadyMs: number;
  };
  readonly training: {
    /** Optimiser steps of one assignment. */
    readonly steps: number;
    readonly batchSize: number;
    readonly learningRate: number;
    readonly alpha: number;
    readonly scaling: ScalingKind;
  };
  readonly strategy: StrategyName;
  readonly svdSplit: SvdSplit;
  readonly aggregation: {
    /** How much larger than the smallest possible the error of a truncated sum may be, as a ratio, at every rank. */
    readonly tolerance: number;
  };
  /** Seeds the orthonormal completion, and with round and agent each assignment's training. 0 to 2^31 − 1. */
  readonly seed: number;
  readonly origin: RunOrigin | null;
  /** Absent for `as-trained`: a specification of before there were formats keeps its bytes. */
  readonly updateFormat?: Exclude<UpdateFormat, 'as-trained'>;
}

export const updateFormatOf = ({ updateFormat }: RunSpec): UpdateFormat => updateFormat ?? 'as-trained';

/** A specification as it may stand in a store: what was not there when it was written is absent. */
export type StoredRunSpec = Omit<RunSpec, 'aggregation' | 'origin' | 'cohort'> &
  Partial<Pick<RunSpec, 'aggregation' | 'origin'>> & {
    readonly cohort: Omit<RunSpec['cohort'], 'late'> & Partial<Pick<RunSpec['cohort'], 'late'>>;
  };

export const completeRunSpec = (stored: StoredRunSpec): RunSpec => ({
  ...stored,
  cohort: { ...stored.cohort, late: stored.cohort.late ?? 'refuse' },
  aggregation: stored.aggregation ?? { tolerance: TOLERANCE_STANDARD },
  origin: stored.origin ?? null,
});
