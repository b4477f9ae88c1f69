import { createHash } from 'node:crypto';
import { bytesOfValues, factorsFromComponents, isRefusal, type ModuleName } from '@flexlora/core';
import { BATCH_BYTES_MAX, type Kernel, type KernelMethod, loadKernel } from '@flexlora/kernel';
import { openAdapterDirectory, readModuleFactors } from '../../../cli/src/aggregate/adapter-directory.ts';
import { aggregateModule, type WeighedAdapter } from '../../../cli/src/aggregate/aggregate-module.ts';
import type { LayerModule } from './layer-modules.ts';
import type { MadeAdapter } from './made-adapters.ts';

/** What one worker process is sent, once. */
export interface ModuleJob {
  /** In the order in which they are summed. */
  readonly updates: readonly MadeAdapter[];
  readonly modules: readonly LayerModule[];
  readonly rank: number;
  readonly tolerance: number;
  readonly threads: number;
  readonly memoryBytes?: number;
}

/** What it answers for each module, in order. */
export interface ModuleFigures {
  readonly name: string;
  readonly out: number;
  readonly in: number;
  readonly method: KernelMethod;
  readonly rankSum: number;
  /** Of the kernel's calls that took terms. */
  readonly addSeconds: number;
  /** Of the kernel's calls together. */
  readonly seconds: number;
  readonly operations: number;
  /** SHA-256 of the factors as `flexlora aggregate` writes them. */
  readonly digests: { readonly a: string; readonly b: string };
}

/** Only when started as a worker: with a channel to the process that started it. */
process.once('message', (job: ModuleJob) => {
  void work(job).then((figures) => process.send!(figures, () => process.disconnect()));
});

async function work({
  updates,
  modules,
  threads,
  memoryBytes,
  ...options
}: ModuleJob): Promise<readonly ModuleFigures[]> {
  const { kernel, notice } = loadKernel({ threads, ...(memoryBytes && { memoryBytes }) });
  if (notice !== null) console.error(notice);
  const adapters: WeighedAdapter[] = [];
  for (const { directory, samples } of updates) {
    const adapter = await openAdapterDirectory(directory);
    if (isRefusal(adapter)) throw new Error(adapter.message);
    adapters.push({ adapter, samples });
  }
  const figures: ModuleFigures[] = [];
  for (const module of modules) figures.push(await sumModule(module, adapters, options, kernel));
  return figures;
}

async function sumModule(
  module: LayerModule,
  adapters: readonly WeighedAdapter[],
  { rank, tolerance }: Pick<ModuleJob, 'rank' | 'tolerance'>,
  kernel: Kernel,
): Promise<ModuleFigures> {
  const timed = timeAdds(kernel);
  const named = { ...module, name: module.name as ModuleName };
  const sum = await aggregateModule(
    named,
    adapters,
    { strategy: 'flexlora', rank, tolerance, method: null },
    {
      kernel: timed.kernel,
      readFactors: readModuleFactors,
      batchBytesMax: BATCH_BYTES_MAX,
      spend: (_, part) => part,
    },
  );
  if (isRefusal(sum)) throw new Error(sum.message);
  const factors = factorsFromComponents({ ...named, ...sum }, 1, 'b');
  if (isRefusal(factors)) throw new Error(factors.message);
  const digest = (values: Float32Array) => createHash('sha256').update(bytesOfValues(values)).digest('hex');
  const { method, rankSum, seconds, operations } = sum;
  const digests = { a: digest(factors.a), b: digest(factors.b) };
  return { ...module, method, rankSum, addSeconds: timed.seconds(), seconds, operations, digests };
}

/** The same kernel, whose calls of `add` are timed. */
function timeAdds(kernel: Kernel): { readonly kernel: Kernel; seconds(): number } {
  let spent = 0;
  return {
    seconds: () => spent,
    kernel: {
      ...kernel,
      beginSum(request) {
        const sum = kernel.beginSum(request);
        return {
          ...sum,
          async add(terms, signal) {
            const start = performance.now();
            await sum.add(terms, signal);
            spent += (performance.now() - start) / 1000;
          },
        };
      },
    },
  };
}
