import type { SvdSplit } from '../round/run-spec.ts';
import { type AdapterFactors, splitWeights } from './adapter-factors.ts';
import type { ModuleComponents } from './rank-major.ts';

/** PEFT factors of all components of one module, straight from the kernel's answer; see `splitWeights`. The scaling is above 0. */
export function factorsFromComponents(module: ModuleComponents, scaling: number, split: SvdSplit): AdapterFactors {
  const { rank, out } = module;
  const b = new Float32Array(out * rank);
  const a = new Float32Array(rank * module.in);
  for (let j = 0; j < rank; j++) {
    const weights = splitWeights(split, module.singularValues[j]!, scaling);
    for (let i = 0; i < out; i++) b[i * rank + j] = weights.b * module.u[j * out + i]!;
    const row = j * module.in;
    for (let i = 0; i < module.in; i++) a[row + i] = weights.a * module.v[row + i]!;
  }
  return { rank, b, a };
}
