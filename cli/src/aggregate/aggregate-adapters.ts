import {
  encodePeftConfig,
  factorsFromComponents,
  isRefusal,
  type PeftConfig,
  type PeftFileModule,
  type Refusal,
  refuse,
} from '@flexlora/core';
import { BATCH_BYTES_MAX, type Kernel, KernelError } from '@flexlora/kernel';
import { checkModuleNumbers, openAdapterDirectory, readModuleFactors } from './adapter-directory.ts';
import { inOrderOfContent } from './adapter-order.ts';
import { type AdapterWriter, checkOut, createAdapterWriter } from './adapter-writer.ts';
import { aggregateModule, checkModule, type WeighedAdapter } from './aggregate-module.ts';
import type { AggregateOptions, UpdateArgument } from './aggregate-options.ts';
import { type AggregatePhase, type AggregateReport, type ModuleSum, reportOf } from './aggregate-report.ts';
import { type CommonModule, commonModules } from './common-modules.ts';
import { READS_AT_ONCE_MAX } from './limits.ts';
import { mapAtOnce } from './map-at-once.ts';
import { createStopwatch, type Stopwatch } from './stopwatch.ts';

export interface AggregateDeps {
  readonly kernel: Kernel;
  /** Cancels: nothing is left behind. */
  readonly signal?: AbortSignal;
}

/**
 * Adds up PEFT adapters and writes the best adapter of the wanted rank. All headers, then all configurations against one another and all modules
 * against what the kernel can do are checked before anything is written; then one module at a time is read in batches, checked for NaN and
 * infinity as it is summed, and written, whatever the number of adapters. Every number is read once. `out` appears when all is well, and not at
 * all otherwise. No file stays open between two reads. The same adapters with the same samples give the same bytes, in whatever order they
 * are named.
 */
export async function aggregateAdapters(
  options: AggregateOptions,
  { kernel, signal }: AggregateDeps,
): Promise<AggregateReport | Refusal> {
  const started = performance.now();
  const checked = (await checkOut(options.out)) ?? checkSamples(options.updates);
  if (checked !== null) return checked;
  const stopwatch = createStopwatch(['check', 'read', 'sum', 'write']);
  const adapters = await stopwatch.spend('check', openAll(options.updates));
  if (isRefusal(adapters)) return adapters;
  const modules = commonModules(adapters.map(({ adapter }) => adapter));
  if (isRefusal(modules)) return modules;
  const impossible = checkModules(modules, adapters, options, kernel);
  if (impossible !== null) return impossible;
  const ordered = await stopwatch.spend('check', inOrderOfContent(adapters, signal));
  if (isRefusal(ordered)) return ordered;
  const unsummed = await stopwatch.spend('check', checkUnsummed(adapters, signal));
  if (unsummed !== null) return unsummed;

  const files = modules.map((module) => ({ ...module, rank: Math.min(options.rank, module.out, module.in) }));
  const writer = await createAdapterWriter(options.out, files);
  if (isRefusal(writer)) return writer;
  try {
    const deps = { kernel, stopwatch, ...(signal && { signal }) };
    const sums = await aggregateAll(modules, ordered, writer, options, deps);
    if (isRefusal(sums)) return sums;
    const notices: string[] = [];
    await stopwatch.spend('write', writer.finish(configOf(files, ordered, options, notices)));
    const seconds = (performance.now() - started) / 1000;
    return reportOf(sums, options, { kernel: kernel.name, notices, seconds, phases: stopwatch.seconds() });
  } finally {
    await writer.discard();
  }
}

function checkSamples(updates: readonly UpdateArgument[]): Refusal | null {
  let total = 0;
  for (const { directory, samples } of updates) {
    if (!Number.isSafeInteger(samples) || samples < 0) {
      return refuse('badNumber', `${directory}: its samples are ${samples}; allowed: an integer from 0`);
    }
    total += samples;
  }
  if (total > 0 && Number.isSafeInteger(total)) return null;
  return refuse(
    'badNumber',
    `the samples of ${updates.length} adapters sum to ${total}; allowed: 1 to ${Number.MAX_SAFE_INTEGER}: give the number of training samples of each`,
  );
}

async function openAll(updates: readonly UpdateArgument[]): Promise<readonly WeighedAdapter[] | Refusal> {
  const opened = await mapAtOnce(updates, READS_AT_ONCE_MAX, ({ directory }) => openAdapterDirectory(directory));
  const adapters: WeighedAdapter[] = [];
  for (const [index, adapter] of opened.entries()) {
    if (isRefusal(adapter)) return adapter;
    adapters.push({ adapter, samples: updates[index]!.samples });
  }
  return adapters;
}

/** Before all numbers are read: what the kernel refuses for its sizes alone. */
function checkModules(
  modules: readonly CommonModule[],
  adapters: readonly WeighedAdapter[],
  options: AggregateOptions,
  kernel: Kernel,
): Refusal | null {
  for (const module of modules) {
    try {
      const refusal = checkModule(module, adapters, options, kernel);
      if (refusal !== null) return refusal;
    } catch (error) {
      return refusalOfKernel(error);
    }
  }
  return null;
}

/** The numbers of an adapter that has no samples, which are in no sum: all others the kernel looks at as it takes them in. */
async function checkUnsummed(
  adapters: readonly WeighedAdapter[],
  signal: AbortSignal | undefined,
): Promise<Refusal | null> {
  for (const { adapter, samples } of adapters) {
    if (samples > 0) continue;
    for (const name of adapter.modules.keys()) {
      signal?.throwIfAborted();
      const refusal = await checkModuleNumbers(adapter, name);
      if (refusal !== null) return refusal;
    }
  }
  return null;
}

async function aggregateAll(
  modules: readonly CommonModule[],
  adapters: readonly WeighedAdapter[],
  writer: AdapterWriter,
  options: AggregateOptions,
  { kernel, stopwatch, signal }: AggregateDeps & { readonly stopwatch: Stopwatch<AggregatePhase> },
): Promise<readonly ModuleSum[] | Refusal> {
  const sums: ModuleSum[] = [];
  const deps = {
    kernel,
    readFactors: readModuleFactors,
    batchBytesMax: BATCH_BYTES_MAX,
    spend: stopwatch.spend,
    ...(signal && { signal }),
  };
  for (const [index, module] of modules.entries()) {
    signal?.throwIfAborted();
    const sum = await aggregateModule(module, adapters, options, deps).catch(refusalOfKernel);
    if (isRefusal(sum)) return sum;
    const { u, v, singularValues, ...proof } = sum;
    const components = { ...module, rank: sum.rank, u, v, singularValues };
    const factors = factorsFromComponents(components, options.alpha / options.rank, options.svdSplit);
    if (isRefusal(factors)) return factors;
    await stopwatch.spend('write', writer.writeModule(index, factors));
    sums.push({ ...module, ...proof });
  }
  return sums;
}

function refusalOfKernel(error: unknown): Refusal {
  if (!(error instanceof KernelError)) throw error;
  switch (error.code) {
    case 'badShape':
    case 'badRank':
    case 'badTolerance':
    case 'badMethod':
    case 'tooLarge':
      return refuse('badTensor', error.message);
    case 'notFinite':
      return refuse('notFinite', error.message);
    case 'notConverged':
    case 'cancelled':
    case 'internal':
      throw error;
  }
}

/**
 * α in proportion to the rank, so that s is alpha / rank in every module, also where a module is too small for the wanted rank: then a
 * reader that knows `lora_alpha / r` alone, such as vLLM, scales it right too.
 */
function configOf(
  files: readonly PeftFileModule[],
  adapters: readonly WeighedAdapter[],
  { rank, alpha }: AggregateOptions,
  notices: string[],
): string {
  const configs = adapters.map(({ adapter }) => adapter.config);
  const common = (field: 'baseModel' | 'taskType', name: string): string | null => {
    const values = [...new Set(configs.map((config: PeftConfig) => config[field]))].sort();
    if (values.length > 1)
      notices.push(`${name} differs (${values.map(String).join(', ')}) and is null in the result: set it`);
    return values.length === 1 ? values[0]! : null;
  };
  return encodePeftConfig({
    modules: files.map((file) => ({ name: file.name, rank: file.rank, alpha: (alpha * file.rank) / rank })),
    scaling: 'alphaOverRank',
    baseModel: common('baseModel', 'base_model_name_or_path'),
    taskType: common('taskType', 'task_type'),
    fanInFanOut: configs[0]!.fanInFanOut,
  });
}
