import { createHash } from 'node:crypto';
import {
  type AggregationTerm,
  type FactorSide,
  isRefusal,
  mixFactors,
  peftModuleScaling,
  type Refusal,
  STRATEGIES,
  type WeightedFactor,
} from '@flexlora/core';
import {
  batchesOf,
  type Kernel,
  KernelError,
  type KernelTerm,
  readAhead,
  type SumRequest,
  type TruncatedSum,
} from '@flexlora/kernel';
import {
  type AdapterDirectory,
  checkModuleNumbers,
  type ModuleFactors,
  type readModuleFactors,
} from './adapter-directory.ts';
import type { AggregateOptions } from './aggregate-options.ts';
import type { CommonModule } from './common-modules.ts';
import { READS_AT_ONCE_MAX } from './limits.ts';
import { mapAtOnce } from './map-at-once.ts';

export interface WeighedAdapter {
  readonly adapter: AdapterDirectory;
  readonly samples: number;
}

/** What the time of one module goes into: waiting for factors that were not read while others were summed, and summing. */
export type ModulePhase = 'read' | 'sum';

export interface AggregateModuleDeps {
  readonly kernel: Kernel;
  readonly readFactors: typeof readModuleFactors;
  /** Factors of one batch, of which two are held at a time; a term that has more is a batch alone. */
  readonly batchBytesMax: number;
  /** Waits, and counts the wait for the phase. */
  spend<T>(phase: ModulePhase, part: Promise<T>): Promise<T>;
  readonly signal?: AbortSignal;
}

export type ModuleOptions = Pick<AggregateOptions, 'strategy' | 'rank' | 'tolerance' | 'method'>;

/** Terms, and the adapters that they were made of. */
interface Batch {
  readonly terms: readonly KernelTerm[];
  readonly updates: readonly number[];
}

/** The sum of one module, known from headers alone: what to ask the kernel for, and the terms to give it. */
interface ModuleSum {
  readonly request: SumRequest;
  readonly terms: readonly AggregationTerm[];
}

/** Null, or why the kernel or the strategy cannot do this module. No factor is read for it. */
export function checkModule(
  module: CommonModule,
  adapters: readonly WeighedAdapter[],
  options: ModuleOptions,
  kernel: Kernel,
): Refusal | null {
  const sum = moduleSum(module, adapters, options);
  if (isRefusal(sum)) return sum;
  kernel.beginSum(sum.request).release();
  return null;
}

/**
 * Sums one module of all adapters and truncates the sum. Reads batch by batch and hands each to the kernel, which holds no more than it is
 * allowed; while one batch is summed, the next is read. So memory does not grow with the number of adapters; but the one term of `fedavg`
 * and `hetlora` is made of all adapters, so there all factors of the module are held. NaN or infinity, which the kernel finds, is refused by
 * file and tensor.
 */
export async function aggregateModule(
  module: CommonModule,
  adapters: readonly WeighedAdapter[],
  options: ModuleOptions,
  { kernel, readFactors, batchBytesMax, spend, signal }: AggregateModuleDeps,
): Promise<TruncatedSum | Refusal> {
  const { name } = module;
  const planned = moduleSum(module, adapters, options);
  if (isRefusal(planned)) return planned;
  const bytesOf = (term: AggregationTerm) =>
    updatesOf(term).reduce((bytes, update) => bytes + factorBytes(adapters[update]!.adapter, name), 0);
  const readBatch = async (batch: readonly AggregationTerm[], abort: AbortSignal): Promise<Batch | Refusal> => {
    const updates = [...new Set(batch.flatMap(updatesOf))];
    const read = await mapAtOnce(updates, READS_AT_ONCE_MAX, (update) => {
      abort.throwIfAborted();
      return readFactors(adapters[update]!.adapter, name);
    });
    const factors = new Map<number, ModuleFactors>();
    for (const [at, update] of updates.entries()) {
      const answer = read[at]!;
      if (isRefusal(answer)) return answer;
      factors.set(update, answer);
    }
    const terms = mixTerms(batch, factors);
    return isRefusal(terms) ? terms : { terms, updates };
  };
  /** The kernel has looked at every number and names the term; whoever has to act on it needs file and tensor. */
  const namingTensor = async (error: unknown, updates: readonly number[]): Promise<Refusal> => {
    if (error instanceof KernelError && error.code === 'notFinite') {
      for (const update of updates) {
        const refusal = await checkModuleNumbers(adapters[update]!.adapter, name, readFactors);
        if (refusal !== null) return refusal;
      }
    }
    throw error;
  };
  const reads = readAhead(batchesOf(planned.terms, bytesOf, batchBytesMax), readBatch, signal);
  const sum = kernel.beginSum(planned.request);
  try {
    for (;;) {
      const batch = await spend('read', reads.next());
      if (batch.done) break;
      if (isRefusal(batch.value)) return batch.value;
      const { terms, updates } = batch.value;
      const refusal = await spend('sum', sum.add(terms, signal)).then(
        () => null,
        (error: unknown) => namingTensor(error, updates),
      );
      if (refusal !== null) return refusal;
    }
    return await spend('sum', sum.truncate(signal));
  } finally {
    await reads.return();
    sum.release();
  }
}

function moduleSum(
  { name, out, in: columns }: CommonModule,
  adapters: readonly WeighedAdapter[],
  { strategy, rank, tolerance, method }: ModuleOptions,
): ModuleSum | Refusal {
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
  return {
    terms,
    request: {
      module: name,
      out,
      in: columns,
      rank,
      rankSum: terms.reduce((ranks, term) => ranks + rankOf(term), 0),
      completionSeed: completionSeedOf(name),
      tolerance,
      ...(method && { method }),
    },
  };
}

function mixTerms(
  terms: readonly AggregationTerm[],
  factors: ReadonlyMap<number, ModuleFactors>,
): readonly KernelTerm[] | Refusal {
  const mixed = (side: FactorSide, parts: readonly WeightedFactor[]) =>
    mixFactors(
      side,
      parts.map((part) => ({ weight: part.weight, factor: factors.get(updateOf(part))![side] })),
    );
  const made: KernelTerm[] = [];
  for (const { label, coefficient, b: partsOfB, a: partsOfA } of terms) {
    const b = mixed('b', partsOfB);
    if (isRefusal(b)) return b;
    const a = mixed('a', partsOfA);
    if (isRefusal(a)) return a;
    made.push({ label, coefficient, b, a });
  }
  return made;
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
