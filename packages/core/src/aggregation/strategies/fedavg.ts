import { isRefusal, refuse } from '../../refusal.ts';
import type { WeightedFactor } from '../term.ts';
import type { StrategyTerms } from './strategy.ts';
import { weighUpdates } from './update-weights.ts';

/**
 * A baseline: averages A and B apart, `W = s · (Σ w_k B_k)(Σ w_k A_k)`, which is not the average of the products. It needs one rank and
 * one scaling. Source: McMahan et al., arXiv:1602.05629, on LoRA's factors as in FedIT, Zhang et al., arXiv:2305.05644.
 */
export const fedavgTerms: StrategyTerms = (updates) => {
  const weighed = weighUpdates(updates);
  if (isRefusal(weighed)) return weighed;
  const [first] = weighed;
  if (first === undefined) return [];
  for (const { update } of weighed) {
    const { label, rank, scaling } = update;
    if (rank !== first.update.rank) {
      return refuse(
        'rankOutOfRange',
        `fedavg: rank of ${label} is ${rank}, of ${first.update.label} ${first.update.rank}; allowed: one rank for all: use flexlora, or hetlora for zero padding`,
      );
    }
    if (scaling !== first.update.scaling) {
      return refuse(
        'badNumber',
        `fedavg: scaling of ${label} is ${scaling}, of ${first.update.label} ${first.update.scaling}; allowed: one alpha / rank for all: use flexlora`,
      );
    }
  }
  const average: readonly WeightedFactor[] = weighed.map(({ index, weight }) => ({
    weight,
    source: { kind: 'update', update: index },
  }));
  return [{ label: 'fedavg', coefficient: first.update.scaling, b: average, a: average }];
};
