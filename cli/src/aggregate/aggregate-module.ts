import { createHash } from 'node:crypto';
import {
  type AggregationTerm,
  type FactorSide,
  isRefusal,
  mixFactors,
  peftModuleScaling,
  type RawFactor,
  type Refusal,
  STRATEGIES,
  type WeightedFactor,
} from '@flexlora/core';
import type { Kernel, KernelTerm, TruncatedSum } from '@flexlora/kernel';
import { type AdapterDirectory, readModuleFactors } from './adapter-directory.ts';
import type { AdapterStrategy } from './aggregate-options.ts';
import type { CommonModule } from './common-modules.ts';

export interface WeighedAdapter {
  readonly adapter: AdapterDirectory;
  readonly samples: number;
}

/** Sums one module of all adapters and truncates the sum. What it read is free again when it returns. */
export async function aggregateModule(
  { name, out, in: columns }: CommonModule,
  adapters: readonly WeighedAdapter[],
  { strategy, rank }: { readonly strategy: AdapterStrategy; readonly rank: number },
  kernel: Kernel,
  signal: AbortSignal | undefined,
): Promise<TruncatedSum | Refusal> {
  const updates = adapters.map(({ adapter, samples }) => ({
    label: adapter.directory,
    samples,
    rank: adapter.modules.get(name)!.rank,
    scaling: peftModuleScaling(adapter.config, name),
  }));
  const terms = STRATEGIES[strategy](updates, { previousRank: 0, serverRate: 1 });
  if (isRefusal(terms)) return terms;
  const kernelTerms: KernelTerm[] = [];
  for (const term of terms) {
    const kernelTerm = await readTerm(term, name, adapters);
    if (isRefusal(kernelTerm)) return kernelTerm;
    kernelTerms.push(kernelTerm);
  }
  const request = { module: name, out, in: columns, rank, terms: kernelTerms, completionSeed: completionSeed(name) };
  return kernel.truncate(request, signal);
}

async function readTerm(
  { label, coefficient, b, a }: AggregationTerm,
  name: CommonModule['name'],
  adapters: readonly WeighedAdapter[],
): Promise<KernelTerm | Refusal> {
  const factors = new Map<number, { readonly b: RawFactor; readonly a: RawFactor }>();
  for (const { source } of [...b, ...a]) {
    if (source.kind !== 'update' || factors.has(source.update)) continue;
    const read = await readModuleFactors(adapters[source.update]!.adapter, name);
    if (isRefusal(read)) return read;
    factors.set(source.update, read);
  }
  const mixed = (side: FactorSide, parts: readonly WeightedFactor[]) =>
    mixFactors(
      side,
      parts.map(({ weight, source }) => {
        if (source.kind === 'previousAdapter') throw new Error('a sum of adapters has no previous adapter');
        return { weight, factor: factors.get(source.update)![side] };
      }),
    );
  const left = mixed('b', b);
  if (isRefusal(left)) return left;
  const right = mixed('a', a);
  return isRefusal(right) ? right : { label, coefficient, b: left, a: right };
}

/** Of the module's name alone, so that the same adapters give the same bytes; below 2^31. */
function completionSeed(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32LE(0) >>> 1;
}
