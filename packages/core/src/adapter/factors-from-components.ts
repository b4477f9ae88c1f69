import type { Refusal } from '../refusal.ts';
import type { SvdSplit } from '../round/run-spec.ts';
import { type AdapterFactors, checkFactors, splitWeights } from './adapter-factors.ts';
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
  const sigma = module.singularValues[0]!;
  const factors = { rank, b, a };
  return (
    checkFactors(module.name, factors, scaling, { sigma, weights: splitWeights(split, sigma, scaling) }) ?? factors
  );
}
