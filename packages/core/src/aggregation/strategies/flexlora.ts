import { isRefusal } from '../../refusal.ts';
import type { AggregationTerm, FactorSource } from '../term.ts';
import type { StrategyTerms } from './strategy.ts';
import { type WeighedUpdate, weighUpdates } from './update-weights.ts';

/**
 * FlexLoRA: `W = Σ_k w_k s_k B_k A_k`, the weighted sum of the full products, each with its own scaling.
 * Source: Bai et al., "Federated Fine-tuning of Large Language Models under Heterogeneous Tasks and Client Resources",
 * arXiv:2402.11505, section 3.
 */
export const flexloraTerms: StrategyTerms = (updates) => {
  const weighed = weighUpdates(updates);
  return isRefusal(weighed) ? weighed : weighed.map((update) => productTerm(update, 1));
};

/** `rate · w_k s_k · B_k A_k`. */
export function productTerm({ index, weight, update }: WeighedUpdate, rate: number): AggregationTerm {
  const source: FactorSource = { kind: 'update', update: index };
  return {
    label: update.label,
    coefficient: rate * weight * update.scaling,
    b: [{ weight: 1, source }],
    a: [{ weight: 1, source }],
  };
}
