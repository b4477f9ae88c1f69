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
import { batchesOf, type Kernel, type KernelTerm, readAhead, type TruncatedSum } from '@flexlora/kernel';
import { SERVER_RATE } from './limits.ts';
import type { ObjectReader } from './object-reader.ts';
import type { PreviousAdapter } from './previous-adapter.ts';
import { type FactorPair, pulledBytes, pullFactors } from './pull-factors.ts';
import type { TaskWork } from './translate.ts';
import type { UpdateFactors } from './update-factors.ts';

/** What the time of one module goes into: waiting for factors that were not read while others were summed, and summing. */
export type SumStage = 'pull' | 'sum';

export interface SumModuleDeps {
  readonly kernel: Kernel;
  readonly reader: ObjectReader;
  /** Waits, and counts the wait for the stage. */
  spend<T>(stage: SumStage, part: Promise<T>): Promise<T>;
}

/** What is known of one module before its bytes are read. */
export interface ModuleInput {
  readonly module: ModuleSpec;
  readonly updates: readonly UpdateFactors[];
  readonly previous: PreviousAdapter;
  /** Factors of one batch, of which two are held at a time; a term that has more is a batch alone. */
  readonly batchBytesMax: number;
}

export interface SummedModule {
  readonly components: ModuleComponents;
  readonly result: ModuleResult;
}

/**
 * The strategy's terms of one module, pulled, mixed and summed batch by batch in their order, and truncated; while one batch is summed, the
 * next is pulled. The order is that of the ledger, by agent id. With no terms W = 0, and the kernel completes it orthonormally.
 */
export async function sumModule(
  deps: SumModuleDeps,
  work: TaskWork,
  input: ModuleInput,
  signal: AbortSignal,
): Promise<SummedModule | Refusal> {
  const { module, batchBytesMax } = input;
  const terms = strategyTerms(work, input);
  if (isRefusal(terms)) return ofModule(module, terms);
  const sum = deps.kernel.beginSum({
    module: module.name,
    out: module.out,
    in: module.in,
    rank: work.rank,
    rankSum: terms.reduce((ranks, term) => ranks + rankOf(term, input), 0),
    completionSeed: moduleSeed(work.completionSeed, module.name),
    tolerance: work.tolerance,
  });
  const batches = batchesOf(terms, (term) => bytesOf(term, input), batchBytesMax);
  const reads = readAhead(batches, (batch, abort) => readTerms(batch, deps.reader, input, abort), signal);
  try {
    for (;;) {
      const read = await deps.spend('pull', reads.next());
      if (read.done) break;
      if (isRefusal(read.value)) return ofModule(module, read.value);
      await deps.spend('sum', sum.add(read.value, signal));
    }
    return summedModule(module, await deps.spend('sum', sum.truncate(signal)));
  } finally {
    await reads.return();
    sum.release();
  }
}

function strategyTerms(
  work: TaskWork,
  { module, updates, previous }: ModuleInput,
): readonly AggregationTerm[] | Refusal {
  return STRATEGIES[work.strategy](
    updates.map(({ update, modules }) => {
      const { rank } = modules.get(module.name)!;
      const scaling = scalingFactor(update.scaling, update.alpha, rank);
      return { label: update.agentId, samples: update.samples, rank, scaling };
    }),
    { previousRank: previous.rankOf(module.name), serverRate: SERVER_RATE },
  );
}

/** Parts are padded to the largest. */
function rankOf({ a }: AggregationTerm, input: ModuleInput): number {
  return Math.max(...a.map((part) => rankOfPart(part, input)));
}

function rankOfPart({ source }: WeightedFactor, { module, updates }: ModuleInput): number {
  switch (source.kind) {
    case 'update':
      return updates[source.update]!.modules.get(module.name)!.rank;
    case 'previousAdapter':
      return source.rank;
  }
}

/** What is read for a term: each update once, each slice of the previous adapter as both of its factors. */
function bytesOf(term: AggregationTerm, { module, updates }: ModuleInput): number {
  const pulled = updatesOf([term]).reduce((sum, index) => sum + pulledBytes(updates[index]!, module.name), 0);
  const slices = [...term.b, ...term.a].flatMap(({ source }) =>
    source.kind === 'previousAdapter' ? [source.rank] : [],
  );
  return pulled + 4 * (module.out + module.in) * slices.reduce((sum, rank) => sum + rank, 0);
}

function updatesOf(terms: readonly AggregationTerm[]): readonly number[] {
  const sources = terms.flatMap(({ b, a }) => [...b, ...a]).map(({ source }) => source);
  return [...new Set(sources.flatMap((source) => (source.kind === 'update' ? [source.update] : [])))];
}

async function readTerms(
  terms: readonly AggregationTerm[],
  reader: ObjectReader,
  input: ModuleInput,
  signal: AbortSignal,
): Promise<readonly KernelTerm[] | Refusal> {
  const indices = updatesOf(terms);
  const wanted = indices.map((index) => input.updates[index]!);
  const pairs = await pullFactors(reader, wanted, input.module.name, signal);
  const pulled = new Map(indices.map((index, i) => [index, pairs[i]!]));
  const read: KernelTerm[] = [];
  for (const { label, coefficient, b, a } of terms) {
    const mixedB = await mixSide('b', b, pulled, input, signal);
    if (isRefusal(mixedB)) return mixedB;
    const mixedA = await mixSide('a', a, pulled, input, signal);
    if (isRefusal(mixedA)) return mixedA;
    read.push({ label, coefficient, b: mixedB, a: mixedA });
  }
  return read;
}

async function mixSide(
  side: keyof FactorPair,
  parts: readonly WeightedFactor[],
  pulled: ReadonlyMap<number, FactorPair>,
  { module, previous }: ModuleInput,
  signal: AbortSignal,
): Promise<RawFactor | Refusal> {
  const read: { readonly weight: number; readonly factor: RawFactor }[] = [];
  for (const { weight, source } of parts) {
    switch (source.kind) {
      case 'update':
        read.push({ weight, factor: pulled.get(source.update)![side] });
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

function summedModule(module: ModuleSpec, sum: TruncatedSum): SummedModule | Refusal {
  const { u, singularValues, v, ...proof } = sum;
  const diverged = checkSpectrum(module.name, singularValues);
  if (diverged !== null) return diverged;
  // Operations are a forecast for people who plan; of the plan the result tells what it may have held.
  const { plan, operations: _, ...told } = proof;
  return {
    components: { out: module.out, in: module.in, rank: told.rank, u, singularValues, v },
    result: { ...told, name: module.name, spectrum: [...singularValues], scratchBytes: plan.scratchBytes },
  };
}

const ofModule = ({ name }: ModuleSpec, { reason, message }: Refusal): Refusal =>
  refuse(reason, `module ${name}: ${message}`);
