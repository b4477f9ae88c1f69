import type { Refusal } from '../refusal.ts';
import type { SvdSplit } from '../round/run-spec.ts';
import { type AdapterFactors, checkFinite, refuseUnfit, splitWeights } from './adapter-factors.ts';
import { F32_NORMAL_MIN } from './f32-range.ts';
import type { ModuleComponents } from './rank-major.ts';

/**
 * PEFT factors of all components of one module, straight from the kernel's answer; see `splitWeights`. The scaling is above 0. Refused
 * where f32 does not hold them.
 */
export function factorsFromComponents(
  module: ModuleComponents & { readonly name: string },
  scaling: number,
  split: SvdSplit,
): AdapterFactors | Refusal {
  const { rank, out } = module;
  const b = new Float32Array(out * rank);
  const a = new Float32Array(rank * module.in);
  for (let j = 0; j < rank; j++) {
    const weights = splitWeights(split, module.singularValues[j]!, scaling);
    for (let i = 0; i < out; i++) b[i * rank + j] = weights.b * module.u[j * out + i]!;
    const row = j * module.in;
    for (let i = 0; i < module.in; i++) a[row + i] = weights.a * module.v[row + i]!;
  }
  const factors = { rank, b, a };
  const sigma = module.singularValues[0]!;
  const weights = splitWeights(split, sigma, scaling);
  // The largest component alone is held to normal numbers: what smaller ones then lose is below its rounding, 2⁻²⁴ of it.
  const lostDigits = sigma !== 0 && Math.min(weights.b, weights.a) < F32_NORMAL_MIN;
  if (lostDigits) return refuseUnfit(module.name, sigma, scaling);
  return checkFinite(module.name, factors, sigma, scaling) ?? factors;
}
