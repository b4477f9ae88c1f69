import { RANK_MAX } from '@flexlora/core';
import { PROBE_RANKS } from './limits.ts';

/**
 * The ranks at which a device is measured: spread over the run's tiers, the smallest and the largest among them. Where there are too few
 * tiers, ranks between them, and then half and double of them: a line through measurements close together is mostly noise.
 *
 * @param tiers ascending, at least one.
 */
export function probeRanks(tiers: readonly number[]): readonly number[] {
  const lowest = tiers[0] ?? 1;
  const highest = tiers.at(-1) ?? lowest;
  if (tiers.length >= PROBE_RANKS) return spread((share) => tiers[Math.round(share * (tiers.length - 1))] ?? lowest);

  const ranks = new Set([...tiers, ...spread((share) => Math.round(lowest + share * (highest - lowest)))]);
  for (let rank = lowest; ranks.size < PROBE_RANKS && rank > 1; ) {
    rank = Math.floor(rank / 2);
    ranks.add(rank);
  }
  for (let rank = highest; ranks.size < PROBE_RANKS && rank < RANK_MAX; ) {
    rank = Math.min(RANK_MAX, rank * 2);
    ranks.add(rank);
  }
  return [...ranks].sort((a, b) => a - b);
}

const spread = (at: (share: number) => number): readonly number[] =>
  Array.from({ length: PROBE_RANKS }, (_, index) => at(index / (PROBE_RANKS - 1)));
