import {
  encodePeftConfig,
  factorsFromComponents,
  isRefusal,
  type PeftConfig,
  type PeftFileModule,
  type Refusal,
  refuse,
} from '@flexlora/core';
import { BATCH_BYTES_MAX, type Kernel, KernelError, type TruncatedSum } from '@flexlora/kernel';
import { digestAdapter, openAdapterDirectory, readModuleFactors } from './adapter-directory.ts';
import { type AdapterWriter, checkOut, createAdapterWriter } from './adapter-writer.ts';
import { aggregateModule, type WeighedAdapter } from './aggregate-module.ts';
import type { AggregateOptions, UpdateArgument } from './aggregate-options.ts';
import { type AggregateReport, energyShare, type ModuleReport } from './aggregate-report.ts';
import { type CommonModule, commonModules } from './common-modules.ts';

export interface AggregateDeps {
  readonly kernel: Kernel;
  /** Cancels: nothing is left behind. */
  readonly signal?: AbortSignal;
}

/**
 * Adds up PEFT adapters and writes the best adapter of the wanted rank. All headers, then all configurations against one another, then
 * all numbers are checked before anything is written; then one module at a time is read in batches, summed and written, whatever the number of adapters. The same
 * adapters with the same samples give the same bytes, in whatever order they are named.
 */
export async function aggregateAdapters(
  options: AggregateOptions,
  { kernel, signal }: AggregateDeps,
): Promise<AggregateReport | Refusal> {
  const started = performance.now();
  const checked = (await checkOut(options.out)) ?? checkSamples(options.updates);
  if (checked !== null) return checked;
  const adapters = await openAll(options.updates);
  if (isRefusal(adapters)) return adapters;
  const modules = commonModules(adapters.map(({ adapter }) => adapter));
  if (isRefusal(modules)) return modules;
  const ordered = await inOrderOfContent(adapters, signal);
  if (isRefusal(ordered)) return ordered;

  const files = modules.map((module) => ({ ...module, rank: Math.min(options.rank, module.out, module.in) }));
  const writer = await createAdapterWriter(options.out, files);
  if (isRefusal(writer)) return writer;
  try {
    const sums = await aggregateAll(modules, ordered, writer, options, { kernel, ...(signal && { signal }) });
    if (isRefusal(sums)) return sums;
    const notices: string[] = [];
    await writer.finish(configOf(files, ordered, options, notices));
    return reportOf(sums, options, { kernel: kernel.name, notices, seconds: (performance.now() - started) / 1000 });
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
  const adapters: WeighedAdapter[] = [];
  for (const { directory, samples } of updates) {
    const adapter = await openAdapterDirectory(directory);
    if (isRefusal(adapter)) return adapter;
    adapters.push({ adapter, samples });
  }
  return adapters;
}

async function inOrderOfContent(
  adapters: readonly WeighedAdapter[],
  signal: AbortSignal | undefined,
): Promise<readonly WeighedAdapter[] | Refusal> {
  const digests = new Map<WeighedAdapter, string>();
  for (const each of adapters) {
    const digest = await digestAdapter(each.adapter, each.samples, signal);
    if (isRefusal(digest)) return digest;
    digests.set(each, digest);
  }
  // Equal digests are equal adapters: either order gives the same sum.
  return adapters.toSorted((x, y) => (digests.get(x)! < digests.get(y)! ? -1 : 1));
}

type ModuleSum = CommonModule & Omit<TruncatedSum, 'u' | 'v' | 'singularValues'>;

async function aggregateAll(
  modules: readonly CommonModule[],
  adapters: readonly WeighedAdapter[],
  writer: AdapterWriter,
  options: AggregateOptions,
  { kernel, signal }: AggregateDeps,
): Promise<readonly ModuleSum[] | Refusal> {
  const sums: ModuleSum[] = [];
  const deps = {
    kernel,
    readFactors: readModuleFactors,
    batchBytesMax: BATCH_BYTES_MAX,
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
    await writer.writeModule(index, factors);
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

function reportOf(
  sums: readonly ModuleSum[],
  options: AggregateOptions,
  made: { readonly kernel: string; readonly notices: readonly string[]; readonly seconds: number },
): AggregateReport {
  const total = (of: (sum: ModuleSum) => number) => sums.reduce((all, sum) => all + of(sum), 0);
  const energyTotal = total((sum) => sum.energyTotal);
  return {
    out: options.out,
    rank: options.rank,
    alpha: options.alpha,
    strategy: options.strategy,
    svd_split: options.svdSplit,
    kernel: made.kernel,
    updates: options.updates.length,
    samples: options.updates.reduce((all, { samples }) => all + samples, 0),
    energy_kept: energyShare(
      total((sum) => sum.energyKept),
      energyTotal,
    ),
    energy_total: energyTotal,
    residual_max: sums.reduce((most, { residual }) => Math.max(most, residual), 0),
    seconds: made.seconds,
    // Kibibytes on every platform.
    peak_memory_bytes: process.resourceUsage().maxRSS * 1024,
    notices: made.notices,
    modules: sums.map(
      (sum): ModuleReport => ({
        name: sum.name,
        out: sum.out,
        in: sum.in,
        rank: sum.rank,
        rank_sum: sum.rankSum,
        method: sum.method,
        energy_kept: energyShare(sum.energyKept, sum.energyTotal),
        residual: sum.residual,
        seconds: sum.seconds,
      }),
    ),
  };
}
