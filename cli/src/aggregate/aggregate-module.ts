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
import { batchesOf, type Kernel, type KernelTerm, type TruncatedSum } from '@flexlora/kernel';
import type { AdapterDirectory, readModuleFactors } from './adapter-directory.ts';
import type { AdapterStrategy } from './aggregate-options.ts';
import type { CommonModule } from './common-modules.ts';

export interface WeighedAdapter {
  readonly adapter: AdapterDirectory;
  readonly samples: number;
}

export interface AggregateModuleDeps {
  readonly kernel: Kernel;
  readonly readFactors: typeof readModuleFactors;
  /** Factors that are held at a time; a term that has more is held alone. */
  readonly batchBytesMax: number;
  readonly signal?: AbortSignal;
}

/**
 * Sums one module of all adapters and truncates the sum. Reads batch by batch and hands each to the kernel, which holds no more than the
 * module's shape asks for, so memory does not grow with the number of adapters; but the one term of `fedavg` and `hetlora` is made of all
 * adapters, so there all factors of the module are held.
 */
export async function aggregateModule(
  { name, out, in: columns }: CommonModule,
  adapters: readonly WeighedAdapter[],
  { strategy, rank }: { readonly strategy: AdapterStrategy; readonly rank: number },
  { kernel, readFactors, batchBytesMax, signal }: AggregateModuleDeps,
): Promise<TruncatedSum | Refusal> {
  const updates = adapters.map(({ adapter, samples }) => ({
    label: adapter.directory,
    samples,
    rank: adapter.modules.get(name)!.rank,
    scaling: peftModuleScaling(adapter.config, name),
  }));
  const terms = STRATEGIES[strategy](updates, { previousRank: 0, serverRate: 1 });
  if (isRefusal(terms)) return terms;
  // Parts are padded to the largest.
  const rankOf = ({ a }: AggregationTerm) => Math.max(...a.map((part) => updates[updateOf(part)]!.rank));
  const rankSum = terms.reduce((ranks, term) => ranks + rankOf(term), 0);
  const completionSeed = completionSeedOf(name);
  const sum = kernel.beginSum({ module: name, out, in: columns, rank, rankSum, completionSeed });
  try {
    const bytesOf = (term: AggregationTerm) =>
      updatesOf(term).reduce((bytes, update) => bytes + factorBytes(adapters[update]!.adapter, name), 0);
    for (const batch of batchesOf(terms, bytesOf, batchBytesMax)) {
      signal?.throwIfAborted();
      // A call of its own, so that nothing of a batch is held while the next one is read.
      const refusal = await addBatch(batch);
      if (refusal !== null) return refusal;
    }
    return await sum.truncate(signal);
  } finally {
    sum.release();
  }

  async function addBatch(batch: readonly AggregationTerm[]): Promise<Refusal | null> {
    const read: KernelTerm[] = [];
    for (const term of batch) {
      const kernelTerm = await readTerm(term, name, adapters, readFactors);
      if (isRefusal(kernelTerm)) return kernelTerm;
      read.push(kernelTerm);
    }
    await sum.add(read, signal);
    return null;
  }
}

async function readTerm(
  term: AggregationTerm,
  name: CommonModule['name'],
  adapters: readonly WeighedAdapter[],
  readFactors: typeof readModuleFactors,
): Promise<KernelTerm | Refusal> {
  const factors = new Map<number, { readonly b: RawFactor; readonly a: RawFactor }>();
  for (const update of updatesOf(term)) {
    const read = await readFactors(adapters[update]!.adapter, name);
    if (isRefusal(read)) return read;
    factors.set(update, read);
  }
  const mixed = (side: FactorSide, parts: readonly WeightedFactor[]) =>
    mixFactors(
      side,
      parts.map((part) => ({ weight: part.weight, factor: factors.get(updateOf(part))![side] })),
    );
  const { label, coefficient } = term;
  const b = mixed('b', term.b);
  if (isRefusal(b)) return b;
  const a = mixed('a', term.a);
  return isRefusal(a) ? a : { label, coefficient, b, a };
}

function updatesOf({ b, a }: AggregationTerm): readonly number[] {
  return [...new Set([...b, ...a].map(updateOf))];
}

function updateOf({ source }: WeightedFactor): number {
  if (source.kind === 'previousAdapter') throw new Error('a sum of adapters has no previous adapter');
  return source.update;
}

function factorBytes({ modules }: AdapterDirectory, name: CommonModule['name']): number {
  const { a, b } = modules.get(name)!;
  return a.end - a.begin + (b.end - b.begin);
}

/** Of the module's name alone, so that the same adapters give the same bytes; below 2^31. */
function completionSeedOf(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32LE(0) >>> 1;
}
