import {
  type AggregationTerm,
  checkSpectrum,
  isRefusal,
  type ModuleComponents,
  type ModuleResult,
  type ModuleSpec,
  mixFactors,
  moduleSeed,
  type RawFactor,
  type Refusal,
  refuse,
  STRATEGIES,
  scalingFactor,
  type WeightedFactor,
} from '@flexlora/core';
import type { Kernel, KernelTerm } from '@flexlora/kernel';
import { SERVER_RATE } from './limits.ts';
import type { PreviousAdapter } from './previous-adapter.ts';
import type { FactorPair } from './pull-factors.ts';
import type { TaskWork } from './translate.ts';
import type { UpdateFactors } from './update-factors.ts';

/** What is known of one module when its bytes are here. */
export interface ModuleInput {
  readonly module: ModuleSpec;
  readonly updates: readonly UpdateFactors[];
  /** Of each update, in the same order. */
  readonly factors: readonly FactorPair[];
  readonly previous: PreviousAdapter;
}

export interface SummedModule {
  readonly components: ModuleComponents;
  readonly result: ModuleResult;
}

/** The strategy's terms of one module, summed and truncated. With no terms W = 0, and the kernel completes it orthonormally. */
export async function sumModule(
  kernel: Kernel,
  work: TaskWork,
  input: ModuleInput,
  signal: AbortSignal,
): Promise<SummedModule | Refusal> {
  const { module, updates, previous } = input;
  const terms = STRATEGIES[work.strategy](
    updates.map(({ update, modules }) => {
      const { rank } = modules.get(module.name)!;
      const scaling = scalingFactor(update.scaling, update.alpha, rank);
      return { label: update.agentId, samples: update.samples, rank, scaling };
    }),
    { previousRank: previous.rankOf(module.name), serverRate: SERVER_RATE },
  );
  if (isRefusal(terms)) return refuse(terms.reason, `module ${module.name}: ${terms.message}`);
  const kernelTerms: KernelTerm[] = [];
  for (const term of terms) {
    const kernelTerm = await mixTerm(term, input, signal);
    if (isRefusal(kernelTerm)) return refuse(kernelTerm.reason, `module ${module.name}: ${kernelTerm.message}`);
    kernelTerms.push(kernelTerm);
  }
  const request = {
    module: module.name,
    out: module.out,
    in: module.in,
    rank: work.rank,
    terms: kernelTerms,
    completionSeed: moduleSeed(work.completionSeed, module.name),
  };
  const { u, singularValues, v, ...proof } = await kernel.truncate(request, signal);
  const diverged = checkSpectrum(module.name, singularValues);
  if (diverged !== null) return diverged;
  const { rank, rankSum, method, energyKept, energyTotal, residual, seconds } = proof;
  return {
    components: { out: module.out, in: module.in, rank, u, singularValues, v },
    result: {
      name: module.name,
      rank,
      spectrum: [...singularValues],
      rankSum,
      method,
      energyKept,
      energyTotal,
      residual,
      seconds,
    },
  };
}

async function mixTerm(
  { label, coefficient, b, a }: AggregationTerm,
  input: ModuleInput,
  signal: AbortSignal,
): Promise<KernelTerm | Refusal> {
  const mixedB = await mixSide('b', b, input, signal);
  if (isRefusal(mixedB)) return mixedB;
  const mixedA = await mixSide('a', a, input, signal);
  if (isRefusal(mixedA)) return mixedA;
  return { label, coefficient, b: mixedB, a: mixedA };
}

async function mixSide(
  side: keyof FactorPair,
  parts: readonly WeightedFactor[],
  { module, factors, previous }: ModuleInput,
  signal: AbortSignal,
): Promise<RawFactor | Refusal> {
  const read: { readonly weight: number; readonly factor: RawFactor }[] = [];
  for (const { weight, source } of parts) {
    switch (source.kind) {
      case 'update':
        read.push({ weight, factor: factors[source.update]![side] });
        break;
      case 'previousAdapter': {
        const pair = await previous.factors(module.name, source.rank, signal);
        if (isRefusal(pair)) return pair;
        read.push({ weight, factor: pair[side] });
        break;
      }
    }
  }
  return mixFactors(side, read);
}
