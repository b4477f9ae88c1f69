import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRefusal, parseSafetensorsHeader, peftTensorName } from '@flexlora/core';
import { digestAdapter, openAdapterDirectory, WEIGHTS_FILE } from '../../../cli/src/aggregate/adapter-directory.ts';
import { type AggregateRun, aggregateProcess } from './aggregate-process.ts';
import type { LayerModule } from './layer-modules.ts';
import type { MadeAdapter } from './made-adapters.ts';
import { sumInWorkers } from './module-workers.ts';

export interface Variant {
  readonly name: string;
  readonly seconds: number;
  /** Whether every tensor has the bytes of the first variant's. */
  readonly isSame: boolean;
}

const WORKERS: readonly number[] = [1, 2, 4];

/**
 * The same updates in different ways, which must give the same tensors: other threads, clients in reverse order, modules split over several
 * processes.
 */
export async function compareBytes(
  modules: readonly LayerModule[],
  run: AggregateRun,
  signal: AbortSignal,
): Promise<readonly Variant[]> {
  const variants: { readonly name: string; readonly seconds: number; readonly digests: ReadonlyMap<string, string> }[] =
    [];
  let tolerance = 0;
  const whole = async (name: string, changed: Partial<AggregateRun>): Promise<void> => {
    const { seconds, report } = await aggregateProcess({ ...run, ...changed }, signal);
    tolerance = report.tolerance;
    variants.push({ name, seconds, digests: await tensorDigests(join(run.out, WEIGHTS_FILE)) });
    await rm(run.out, { recursive: true });
  };
  await whole('flexlora aggregate, 1 thread', { threads: 1 });
  await whole('flexlora aggregate, 2 threads', { threads: 2 });
  await whole('flexlora aggregate, clients in reverse order', { updates: run.updates.toReversed() });

  const { out: _, updates, ...options } = run;
  const job = { ...options, tolerance, modules, updates: await inOrderOfContent(updates) };
  for (const workers of WORKERS) {
    const { seconds, modules: figures } = await sumInWorkers(job, workers, signal);
    const digests = figures.flatMap(({ name, digests: { a, b } }) => [
      [peftTensorName(name, 'a'), a] as const,
      [peftTensorName(name, 'b'), b] as const,
    ]);
    const name = workers === 1 ? 'modules in 1 worker process' : `modules split over ${workers} worker processes`;
    variants.push({ name, seconds, digests: new Map(digests) });
  }
  const first = variants[0]!.digests;
  return variants.map(({ name, seconds, digests }) => ({ name, seconds, isSame: areEqual(first, digests) }));
}

/** The order in which `flexlora aggregate` sums, whatever the order it is given. */
async function inOrderOfContent(updates: readonly MadeAdapter[]): Promise<readonly MadeAdapter[]> {
  const digests = new Map<MadeAdapter, string>();
  for (const update of updates) {
    const adapter = await openAdapterDirectory(update.directory);
    const digest = isRefusal(adapter) ? adapter : await digestAdapter(adapter, update.samples, undefined);
    if (isRefusal(digest)) throw new Error(digest.message);
    digests.set(update, digest);
  }
  return updates.toSorted((x, y) => (digests.get(x)! < digests.get(y)! ? -1 : 1));
}

async function tensorDigests(path: string): Promise<ReadonlyMap<string, string>> {
  const bytes = await readFile(path);
  const header = parseSafetensorsHeader(bytes, bytes.byteLength);
  if (isRefusal(header)) throw new Error(`${path}: ${header.message}`);
  return new Map(
    header.tensors.map(({ name, begin, end }) => {
      const digest = createHash('sha256').update(bytes.subarray(begin, end)).digest('hex');
      return [name, digest];
    }),
  );
}

function areEqual(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size > 0 && one.size === other.size && [...one].every(([name, digest]) => other.get(name) === digest);
}
