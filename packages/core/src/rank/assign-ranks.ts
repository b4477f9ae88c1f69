import { dtypesOf, updateFactorBytes } from '../adapter/update-format.ts';
import { RANK_MAX } from '../limits.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { type ModuleSpec, type RunSpec, updateFormatOf } from '../round/run-spec.ts';
import { type CostModel, costAt, fitCostModel } from './cost-model.ts';
import type { ResourceProfile } from './resource-profile.ts';
import { validateProfile } from './validate-profile.ts';

export interface RankAssignment {
  readonly kind: 'ranks';
  /** By rank group. */
  readonly ranks: Readonly<Record<string, number>>;
  /** One sentence: `rank 16: memory allows 40, the deadline allows 19, tier 16`. */
  readonly reason: string;
}

/** Kept free: a probe measures one quiet step, and allocators fragment over hundreds. */
export const MEMORY_HEADROOM_SHARE = 0.1;
/** Of a round's collecting time, for download, training and upload; the rest is for waiting, retries and clocks that differ. */
export const DEADLINE_SHARE = 0.8;

const F32_BYTES = 4;

/**
 * The largest tier that the agent carries, the same for every rank group (a probe measures all modules at one rank). The ranks of
 * `assignRanks` may be larger than a side of a module: use `moduleRank`.
 *
 * @returns a refusal `badProfile` for a profile that is not believable, `rankOutOfRange` for one that does not carry the smallest tier.
 */
export function assignRanks(spec: RunSpec, profile: ResourceProfile): RankAssignment | Refusal {
  const bad = validateProfile(profile);
  if (bad !== null) return bad;
  if (spec.rank.policy === 'uniform')
    return sameForAll(spec, spec.rank.max, `rank ${spec.rank.max}: the same for every agent`);

  const model = fitCostModel(profile.measurements);
  const memoryRank = largestRank((rank) => fitsMemory(model, profile, rank));
  const deadlineRank =
    spec.rank.policy === 'memory-fit' ? RANK_MAX : largestRank((rank) => fitsDeadline(spec, model, profile, rank));
  const allows = `memory allows ${shown(memoryRank)}, the deadline ${spec.rank.policy === 'memory-fit' ? 'is not looked at' : `allows ${shown(deadlineRank)}`}`;

  const tier = spec.rank.tiers.findLast((rank) => rank <= Math.min(memoryRank, deadlineRank));
  if (tier !== undefined) return sameForAll(spec, tier, `rank ${tier}: ${allows}, tier ${tier}`);
  return refuse(
    'rankOutOfRange',
    `${allows}; the run's smallest tier is ${spec.rank.tiers[0]}: give training more memory, a faster device or uplink, or ask for a run with a smaller tier`,
  );
}

/** The rank of one module under an assignment: no matrix has more than min(out, in). Zero for a group that is not assigned. */
export const moduleRank = (module: ModuleSpec, ranks: Readonly<Record<string, number>>): number =>
  Math.min(ranks[module.rankGroup] ?? 0, module.out, module.in);

/** Bytes of an adapter's factors at these ranks, as f32: what an agent downloads. */
export function adapterBytes(modules: readonly ModuleSpec[], ranks: Readonly<Record<string, number>>): number {
  let bytes = 0;
  for (const module of modules) bytes += moduleRank(module, ranks) * (module.out + module.in) * F32_BYTES;
  return bytes;
}

/** Bytes of an update's factors at these ranks, by the run's format: of the narrowest type that it allows, and of the widest. */
export function updateBytes(
  spec: RunSpec,
  ranks: Readonly<Record<string, number>>,
): { readonly least: number; readonly most: number } {
  const sums = dtypesOf(updateFormatOf(spec)).map((dtype) => {
    let bytes = 0;
    for (const module of spec.modules) {
      const rank = moduleRank(module, ranks);
      bytes += updateFactorBytes(dtype, module.out, rank) + updateFactorBytes(dtype, rank, module.in);
    }
    return bytes;
  });
  return { least: Math.min(...sums), most: Math.max(...sums) };
}

/** The run's rank groups, in the order in which its modules name them. */
export const rankGroups = (spec: RunSpec): readonly string[] => [
  ...new Set(spec.modules.map(({ rankGroup }) => rankGroup)),
];

const ranksOfAll = (spec: RunSpec, rank: number): Readonly<Record<string, number>> =>
  Object.fromEntries(rankGroups(spec).map((group) => [group, rank]));

const sameForAll = (spec: RunSpec, rank: number, reason: string): RankAssignment => ({
  kind: 'ranks',
  ranks: ranksOfAll(spec, rank),
  reason,
});

const fitsMemory = (model: CostModel, profile: ResourceProfile, rank: number): boolean =>
  costAt(model.memoryBytes, rank) <= profile.memoryBytesMax * (1 - MEMORY_HEADROOM_SHARE);

function fitsDeadline(spec: RunSpec, model: CostModel, profile: ResourceProfile, rank: number): boolean {
  const trainingSeconds = spec.training.steps * costAt(model.stepSeconds, rank);
  // Down and up; the downlink is taken to be no faster than the uplink, which is what agents report.
  const ranks = ranksOfAll(spec, rank);
  const transferBytes = adapterBytes(spec.modules, ranks) + updateBytes(spec, ranks).most;
  const transferSeconds = transferBytes / profile.uplinkBytesPerSecond;
  return trainingSeconds + transferSeconds <= (DEADLINE_SHARE * spec.timing.collectingMs) / 1000;
}

/** The largest rank from 0 to RANK_MAX that fits; `fits` is monotone because no cost falls with the rank. */
function largestRank(fits: (rank: number) => boolean): number {
  let fitting = 0;
  let tooLarge = RANK_MAX + 1;
  while (tooLarge - fitting > 1) {
    const middle = Math.floor((fitting + tooLarge) / 2);
    if (fits(middle)) fitting = middle;
    else tooLarge = middle;
  }
  return fitting;
}

const shown = (rank: number): string => (rank === RANK_MAX ? `${RANK_MAX} or more` : String(rank));
