import { type Refusal, refuse } from '../refusal.ts';
import type { SvdSplit } from '../round/run-spec.ts';
import { checkSpectrum } from './check-spectrum.ts';
import { F32_MAX, F32_NORMAL_MIN } from './f32-range.ts';

/** PEFT's factors of one module. */
export interface AdapterFactors {
  readonly rank: number;
  /** out × rank, row-major. */
  readonly b: Float32Array;
  /** rank × in, row-major. */
  readonly a: Float32Array;
}

/** What multiplies `u_j` in column j of B and `v_j` in row j of A. */
export interface SplitWeights {
  readonly b: number;
  readonly a: number;
}

/**
 * Divides σ_j / s between the sides, so that s·B·A = Σ_j σ_j u_j v_jᵀ: all of it in B (`b`), in A (`a`), or its root in each (`even`).
 *
 * A component that W does not have (σ_j = 0) gets a zero column of B and the unit row v_j of A under every split: with both sides zero its
 * gradient would be zero for ever, while so B learns at the first step. Its product is zero, so s·B·A stays exact.
 */
export function splitWeights(split: SvdSplit, sigma: number, scaling: number): SplitWeights {
  if (sigma === 0) return { b: 0, a: 1 };
  const strength = sigma / scaling;
  switch (split) {
    case 'b':
      return { b: strength, a: 1 };
    case 'a':
      return { b: 1, a: strength };
    case 'even':
      return { b: Math.sqrt(strength), a: Math.sqrt(strength) };
  }
}

/** Null, or why these factors must not be used: a value is not finite. `sigma` is the module's largest singular value. */
export function checkFinite(module: string, { b, a }: AdapterFactors, sigma: number, scaling: number): Refusal | null {
  if (b.every(Number.isFinite) && a.every(Number.isFinite)) return null;
  return checkSpectrum(module, [sigma]) ?? refuseUnfit(module, sigma, scaling);
}

export function refuseUnfit(module: string, sigma: number, scaling: number): Refusal {
  return refuse(
    'badNumber',
    `module ${module}: its factors do not fit f32: the largest singular value is ${sigma} and the scaling ${scaling}, so the factors are of size ${sigma / scaling}; allowed: ${F32_NORMAL_MIN.toExponential(1)} to ${F32_MAX.toExponential(1)}: set alpha nearer to the rank, and check the updates where that does not help`,
  );
}
