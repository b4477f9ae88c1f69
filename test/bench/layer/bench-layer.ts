import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ClientMix, HEAVY_TAIL, rankSumOf } from '../factors/client-mix.ts';
import { termsOf } from '../kernel/kernel-case.ts';
import type { Reference } from '../kernel/reference.ts';
import type { MachineDescription } from '../machine/describe-machine.ts';
import type { MachinePeak } from '../machine/machine-peak.ts';
import { type AggregateFigures, type AggregateRun, aggregateProcess } from './aggregate-process.ts';
import {
  distinctShapes,
  type Extrapolation,
  extrapolateLayers,
  extrapolateReference,
  type ReferencePiece,
} from './extrapolate.ts';
import type { LayerModule } from './layer-modules.ts';
import type { LayerBenchOptions } from './layer-options.ts';
import { checkRoom, factorBytesOf, type MadeAdapter, makeAdapters } from './made-adapters.ts';
import type { ModuleFigures } from './module-worker.ts';
import { sumInWorkers } from './module-workers.ts';
import { compareBytes, type Variant } from './same-bytes.ts';

/** All figures of a run, as they are written to `layer.json`. A part that was not asked for is null. */
export interface LayerReport {
  readonly machine: MachineDescription;
  readonly threads: number;
  readonly peak: MachinePeak | null;
  readonly clients: number;
  readonly rankSum: number;
  readonly rank: number;
  readonly spectrum: LayerBenchOptions['spectrum'];
  readonly factorBytes: number;
  readonly makeSeconds: number;
  readonly aggregate: AggregateFigures | null;
  /** The first module of every shape once more, all clients, by the kernel alone. */
  readonly modules: readonly ModuleFigures[] | null;
  readonly extrapolation: Extrapolation | null;
  readonly bytes: { readonly clients: number; readonly variants: readonly Variant[] } | null;
  readonly reference: LayerReference | null;
}

export interface LayerReference {
  readonly name: string;
  readonly pieces: readonly ReferencePiece[];
  /** For the layer, extrapolated from the pieces. */
  readonly seconds: number;
}

export interface LayerBenchDeps {
  readonly modules: readonly LayerModule[];
  readonly machine: MachineDescription;
  readonly peak: MachinePeak | null;
  readonly reference: Reference | null;
  readonly signal: AbortSignal;
  /** Told of every step before it is begun. */
  readonly onStep?: (step: string) => void;
}

/** Makes the adapters, takes the figures that were asked for, and removes the adapters again, also where it fails or is aborted. */
export async function benchLayer(options: LayerBenchOptions, deps: LayerBenchDeps): Promise<LayerReport> {
  const { modules, signal, onStep = () => {} } = deps;
  const { clients, rank, threads, memoryBytes, parts } = options;
  const mix: ClientMix = { name: 'heavy', clients, cycle: HEAVY_TAIL };
  const factorBytes = factorBytesOf(modules, mix);
  await checkRoom(options.folder, factorBytes);
  const folder = await mkdtemp(join(options.folder, 'flexlora-layer-'));
  try {
    onStep(`${clients} adapters are made`);
    const started = performance.now();
    const updates = await makeAdapters(folder, modules, mix, options.spectrum, signal);
    const makeSeconds = (performance.now() - started) / 1000;
    const run = { updates, rank, threads, out: join(folder, 'result'), ...(memoryBytes && { memoryBytes }) };
    const timed = parts.includes('time') ? await timeLayer(run, options, deps) : null;
    return {
      machine: deps.machine,
      threads,
      peak: deps.peak,
      clients,
      rankSum: rankSumOf(mix),
      rank,
      spectrum: options.spectrum,
      factorBytes,
      makeSeconds,
      aggregate: timed?.aggregate ?? null,
      modules: timed?.modules ?? null,
      extrapolation: timed?.extrapolation ?? null,
      bytes: parts.includes('bytes') ? await sameBytes(run, options, deps) : null,
      reference: parts.includes('reference') ? await referenceOf(mix, options, deps) : null,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function timeLayer(
  run: AggregateRun,
  { layers }: LayerBenchOptions,
  { modules, signal, onStep = () => {} }: LayerBenchDeps,
) {
  onStep(`flexlora aggregate sums ${modules.length} modules of them`);
  const aggregate = await aggregateProcess(run, signal);
  await rm(run.out, { recursive: true });
  const shapes = distinctShapes(modules);
  onStep('the kernel alone sums the first module of every shape');
  const { tolerance } = aggregate.report;
  const alone = await sumInWorkers({ ...run, tolerance, modules: shapes }, 1, signal);
  const extrapolation = extrapolateLayers(aggregate.seconds, modules.length, layers);
  return { aggregate, modules: alone.modules, extrapolation };
}

async function sameBytes(
  run: AggregateRun,
  { bytesClients }: LayerBenchOptions,
  { modules, signal, onStep = () => {} }: LayerBenchDeps,
) {
  onStep(`${bytesClients} of them are summed in several ways`);
  const updates: readonly MadeAdapter[] = run.updates.slice(0, bytesClients);
  return { clients: bytesClients, variants: await compareBytes(modules, { ...run, updates }, signal) };
}

/** Forms the products of one cycle of the mix, whose mean rank is that of all, and decomposes their sum, at every shape. */
async function referenceOf(
  mix: ClientMix,
  { rank, spectrum }: LayerBenchOptions,
  { modules, reference, onStep = () => {} }: LayerBenchDeps,
): Promise<LayerReference | null> {
  if (reference === null) return null;
  const sample: ClientMix = { ...mix, clients: mix.cycle.length };
  const pieces: ReferencePiece[] = [];
  for (const { out, in: columns } of distinctShapes(modules)) {
    onStep(`the reference sums ${sample.clients} clients at ${out} × ${columns}, and decomposes`);
    const kernelCase = { out, in: columns, mix: sample, spectrum, rank };
    const sum = { kernelCase, terms: termsOf(kernelCase), answer: null };
    const { formSeconds, svdSeconds } = await reference.measure(sum, 1);
    pieces.push({
      out,
      in: columns,
      clients: sample.clients,
      formSeconds: formSeconds.min,
      svdSeconds: svdSeconds.min,
    });
  }
  return { name: reference.name, pieces, seconds: extrapolateReference(pieces, modules, mix.clients) };
}
