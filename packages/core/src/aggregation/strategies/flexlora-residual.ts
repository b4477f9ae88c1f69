import { isRefusal, refuse } from '../../refusal.ts';
import type { AggregationTerm, WeightedFactor } from '../term.ts';
import { productTerm } from './flexlora.ts';
import type { StrategyTerms } from './strategy.ts';
import { type WeighedUpdate, weighUpdates } from './update-weights.ts';

/**
 * `W = G + η Σ_k w_k (s_k B_k A_k − [G]_{r_k})`, where G is the adapter that the round started from and [G]_r its first r components, which
 * are what a client of rank r got. A client that cannot hold a direction votes "no change" there instead of "zero", so directions
 * above the rank of most clients do not shrink round by round. Built on FlexLoRA (arXiv:2402.11505); with η = 1 and no client below
 * the rank of G it is FlexLoRA.
 *
 * All slices of G share its rows v_j, so they are one term: B is a weighted sum of `[σ u]_r`, padded with zeros, and A is v. The rank
 * sum grows by the rank of G alone, whatever the mix of ranks.
 */
export const flexloraResidualTerms: StrategyTerms = (updates, { previousRank, serverRate }) => {
  if (!Number.isFinite(serverRate) || serverRate < 0) {
    return refuse('badNumber', `the server rate is ${serverRate}; allowed: a number from 0, usually 1`);
  }
  const weighed = weighUpdates(updates);
  if (isRefusal(weighed)) return weighed;
  const products = serverRate === 0 ? [] : weighed.map((update) => productTerm(update, serverRate));
  const previous = previousRank === 0 ? null : previousTerm(weighed, previousRank, serverRate);
  return previous === null ? products : [previous, ...products];
};

/** `G − η Σ_k w_k [G]_{r_k}`; null where it is zero. */
function previousTerm(weighed: readonly WeighedUpdate[], previousRank: number, rate: number): AggregationTerm | null {
  const samplesByRank = new Map<number, number>();
  let total = 0;
  for (const { update } of weighed) {
    const rank = Math.min(update.rank, previousRank);
    samplesByRank.set(rank, (samplesByRank.get(rank) ?? 0) + update.samples);
    total += update.samples;
  }
  // Whole numbers of samples, so that with η = 1 the full slice cancels exactly when no client is below the rank of G.
  const share = (samples: number) => (total === 0 ? 0 : samples / total);
  const full = 1 - rate * share(samplesByRank.get(previousRank) ?? 0);
  samplesByRank.delete(previousRank);
  const slices: WeightedFactor[] = [...samplesByRank]
    .sort(([x], [y]) => x - y)
    .map(([rank, samples]) => slice(-rate * share(samples), rank));
  const b = [slice(full, previousRank), ...slices].filter(({ weight }) => weight !== 0);
  if (b.length === 0) return null;
  const held = Math.max(...b.map(({ source }) => (source.kind === 'previousAdapter' ? source.rank : 0)));
  return { label: 'previous adapter', coefficient: 1, b, a: [slice(1, held)] };
}

function slice(weight: number, rank: number): WeightedFactor {
  return { weight, source: { kind: 'previousAdapter', rank } };
}
