import { isRefusal } from '../../refusal.ts';
import type { FactorSource } from '../term.ts';
import type { StrategyTerms } from './strategy.ts';
import { weighUpdates } from './update-weights.ts';

/**
 * A baseline: pads all factors with zeros to the largest rank and averages them apart, `W = (Σ w_k s_k [B_k 0])(Σ w_k [A_k; 0])`. Each
 * client's scaling is folded into its B, so that clients of unequal α/r speak of the same delta; where all scalings are one s this is
 * `s · (Σ w_k B_k)(Σ w_k A_k)`. Weights are shares of samples. Source: Cho et al., "Heterogeneous LoRA for Federated Fine-tuning of
 * On-Device Foundation Models", arXiv:2401.06432, its zero padding alone: neither its weights by norm nor its self-pruning.
 */
export const hetloraTerms: StrategyTerms = (updates) => {
  const weighed = weighUpdates(updates);
  if (isRefusal(weighed)) return weighed;
  if (weighed.length === 0) return [];
  const source = (index: number): FactorSource => ({ kind: 'update', update: index });
  return [
    {
      label: 'hetlora',
      coefficient: 1,
      b: weighed.map(({ index, weight, update }) => ({ weight: weight * update.scaling, source: source(index) })),
      a: weighed.map(({ index, weight }) => ({ weight, source: source(index) })),
    },
  ];
};
