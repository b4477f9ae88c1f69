import type { ScalingKind } from '../round/run-spec.ts';

/** `s` of `s·B·A`: α / r (PEFT), α / √r (rsLoRA), or α. */
export function scalingFactor(kind: ScalingKind, alpha: number, rank: number): number {
  switch (kind) {
    case 'alphaOverRank':
      return alpha / rank;
    case 'alphaOverSqrtRank':
      return alpha / Math.sqrt(rank);
    case 'constant':
      return alpha;
  }
}
