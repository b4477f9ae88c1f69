import { LatePolicy, RankPolicy, Scaling, Strategy, SvdSplit, UpdateFormat } from '@flexlora/contracts/run/v1/run_spec';
import type {
  LatePolicy as CoreLatePolicy,
  RankPolicy as CoreRankPolicy,
  SvdSplit as CoreSvdSplit,
  UpdateFormat as CoreUpdateFormat,
  ScalingKind,
  StrategyName,
} from '@flexlora/core';
import { type Refusal, refuse } from '@flexlora/core';

/** One enumeration of the contracts and the core's word for each of its values. */
export interface EnumNames<Name extends string, Value extends number> {
  /** `unspecified` (0) is taken as the contract says; a number that this version does not know is refused. */
  fromMessage(value: Value): Name | Refusal;
  toMessage(name: Name): Value;
}

function createEnumNames<Name extends string, Value extends number>(
  field: string,
  numberOf: Readonly<Record<Name, Value>>,
  unspecified: Name,
): EnumNames<Name, Value> {
  const nameOf = new Map<number, Name>(
    (Object.entries(numberOf) as [Name, Value][]).map(([name, value]) => [value, name]),
  );
  return {
    fromMessage: (value) => {
      const name = value === 0 ? unspecified : nameOf.get(value);
      if (name !== undefined) return name;
      return refuse('badSpec', `${field} is ${value}; allowed: ${[...nameOf.keys()].join(', ')}: update the caller`);
    },
    toMessage: (name) => numberOf[name],
  };
}

export const rankPolicies = createEnumNames<CoreRankPolicy, RankPolicy>(
  'rank.policy',
  { 'deadline-fit': RankPolicy.DEADLINE_FIT, 'memory-fit': RankPolicy.MEMORY_FIT, uniform: RankPolicy.UNIFORM },
  'deadline-fit',
);

export const scalings = createEnumNames<ScalingKind, Scaling>(
  'training.scaling',
  {
    alphaOverRank: Scaling.ALPHA_OVER_RANK,
    alphaOverSqrtRank: Scaling.ALPHA_OVER_SQRT_RANK,
    constant: Scaling.CONSTANT,
  },
  'alphaOverRank',
);

export const strategies = createEnumNames<StrategyName, Strategy>(
  'strategy',
  {
    flexlora: Strategy.FLEXLORA,
    'flexlora-residual': Strategy.FLEXLORA_RESIDUAL,
    fedavg: Strategy.FEDAVG,
    hetlora: Strategy.HETLORA,
  },
  'flexlora',
);

export const svdSplits = createEnumNames<CoreSvdSplit, SvdSplit>(
  'svd_split',
  { b: SvdSplit.B, a: SvdSplit.A, even: SvdSplit.EVEN },
  'b',
);

export const latePolicies = createEnumNames<CoreLatePolicy, LatePolicy>(
  'cohort.late',
  { refuse: LatePolicy.REFUSE, carry: LatePolicy.CARRY },
  'refuse',
);

export const updateFormats = createEnumNames<CoreUpdateFormat, UpdateFormat>(
  'update_format',
  {
    'as-trained': UpdateFormat.AS_TRAINED,
    f32: UpdateFormat.F32,
    bf16: UpdateFormat.BF16,
    f16: UpdateFormat.F16,
    int8: UpdateFormat.INT8,
  },
  'as-trained',
);
