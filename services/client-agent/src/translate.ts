import type { Assignment as AssignmentMessage } from '@flexlora/contracts/agent/v1/agent_service';
import {
  type RunSpec,
  Scaling,
  Strategy,
  SvdSplit as SvdSplitMessage,
  UpdateFormat as UpdateFormatMessage,
} from '@flexlora/contracts/run/v1/run_spec';
import {
  isRefusal,
  type ModuleSpec,
  moduleRank,
  parseModuleName,
  type Refusal,
  refuse,
  type ScalingKind,
  type SvdSplit,
  type UpdateFormat,
} from '@flexlora/core';

/** What an agent needs to know of a run. */
export interface RunPlan {
  readonly baseModelName: string;
  readonly baseModelDigest: string;
  readonly modules: readonly ModuleSpec[];
  /** Ranks that may be handed out, ascending. */
  readonly tiers: readonly number[];
  readonly training: {
    readonly steps: number;
    readonly batchSize: number;
    readonly learningRate: number;
    readonly alpha: number;
    readonly scaling: ScalingKind;
  };
  /** The aggregator averages A and B one by one; otherwise it sums their products. */
  readonly averagesFactors: boolean;
  /** Of what is sent, whatever the trainer writes. */
  readonly updateFormat: UpdateFormat;
}

/** What an agent does in one round. */
export interface Assignment {
  readonly kind: 'assignment';
  readonly round: number;
  readonly adapterVersion: number;
  /** By rank group. */
  readonly ranks: Readonly<Record<string, number>>;
  /** By module name; each at least 1. */
  readonly moduleRanks: Readonly<Record<string, number>>;
  readonly reason: string;
  readonly seed: number;
  /** How often the round had been handed out before: every report names it. */
  readonly handout: number;
}

/** @returns a refusal `badSpec` for a specification that this version cannot work with. */
export function runPlanOf(spec: RunSpec | undefined): RunPlan | Refusal {
  const missing = (field: string): Refusal =>
    refuse(
      'badSpec',
      `the server told the run without ${field}: it speaks another version of the contract, update the agent`,
    );
  if (spec === undefined) return missing('its specification');
  if (spec.training === undefined) return missing('training');
  if (spec.rank === undefined || spec.rank.tiers.length === 0) return missing('rank.tiers');
  if (spec.modules.length === 0) return missing('modules');
  const modules: ModuleSpec[] = [];
  for (const { name, outFeatures, inFeatures, rankGroup } of spec.modules) {
    const parsed = parseModuleName(name);
    if (isRefusal(parsed)) return parsed;
    modules.push({ name: parsed, out: outFeatures, in: inFeatures, rankGroup });
  }
  const updateFormat = UPDATE_FORMAT_OF.get(spec.updateFormat);
  if (updateFormat === undefined) {
    return refuse(
      'badSpec',
      `the run's update_format is ${spec.updateFormat}, which this agent does not know: update it`,
    );
  }
  const { steps, batchSize, learningRate, alpha, scaling } = spec.training;
  return {
    baseModelName: spec.baseModelName,
    baseModelDigest: spec.baseModelDigest,
    modules,
    tiers: spec.rank.tiers,
    training: { steps, batchSize, learningRate, alpha, scaling: scalingOf(scaling) },
    averagesFactors: spec.strategy === Strategy.FEDAVG || spec.strategy === Strategy.HETLORA,
    updateFormat,
  };
}

/** @returns a refusal `rankOutOfRange` when a module of the run would get no rank. */
export function assignmentOf(message: AssignmentMessage, plan: RunPlan): Assignment | Refusal {
  const moduleRanks: Record<string, number> = {};
  for (const module of plan.modules) {
    const rank = moduleRank(module, message.ranks);
    if (rank < 1) {
      const got = `${message.ranks[module.rankGroup] ?? 'none'}`;
      return refuse(
        'rankOutOfRange',
        `the rank of group ${module.rankGroup} is ${got}; allowed: at least 1 for every group of the run`,
      );
    }
    moduleRanks[module.name] = rank;
  }
  const { round, adapterVersion, ranks, rankReason, seed, handout } = message;
  return { kind: 'assignment', round, adapterVersion, ranks, moduleRanks, reason: rankReason, seed, handout };
}

/** A server of before there were formats tells none. */
const UPDATE_FORMAT_OF: ReadonlyMap<UpdateFormatMessage, UpdateFormat> = new Map([
  [UpdateFormatMessage.UNSPECIFIED, 'as-trained'],
  [UpdateFormatMessage.AS_TRAINED, 'as-trained'],
  [UpdateFormatMessage.F32, 'f32'],
  [UpdateFormatMessage.BF16, 'bf16'],
  [UpdateFormatMessage.F16, 'f16'],
  [UpdateFormatMessage.INT8, 'int8'],
]);

function scalingOf(scaling: Scaling): ScalingKind {
  switch (scaling) {
    case Scaling.UNSPECIFIED:
    case Scaling.ALPHA_OVER_RANK:
      return 'alphaOverRank';
    case Scaling.ALPHA_OVER_SQRT_RANK:
      return 'alphaOverSqrtRank';
    case Scaling.CONSTANT:
      return 'constant';
  }
}

export function svdSplitOf(split: SvdSplitMessage): SvdSplit {
  switch (split) {
    case SvdSplitMessage.UNSPECIFIED:
    case SvdSplitMessage.B:
      return 'b';
    case SvdSplitMessage.A:
      return 'a';
    case SvdSplitMessage.EVEN:
      return 'even';
  }
}
