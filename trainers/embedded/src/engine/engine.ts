import { existsSync } from 'node:fs';
import { scalingFactor } from '@flexlora/core/peft';
import { type AdapterModule, type PeftScaling, readAdapter, writeAdapter } from '../adapter/peft-adapter.ts';
import { randomAdapter } from '../adapter/random-adapter.ts';
import { readData } from '../data/read-data.ts';
import { createSeededRandom } from '../data/seeded-random.ts';
import { consecutiveWindows, countWindows, sampleWindows } from '../data/windows.ts';
import type { BaseModel } from '../model/base-model.ts';
import type {
  EvaluateRequest,
  EvaluateResult,
  ProbeMeasurement,
  ProbeRequest,
  ProbeResult,
  TrainerProgress,
  TrainRequest,
  TrainResult,
} from '../trainer.ts';
import { TrainerError } from '../trainer-error.ts';
import { createAdam } from './adam.ts';
import { createHeap, type Heap } from './heap.ts';
import { loadKernels } from './kernels.ts';
import { placeWeights } from './model-weights.ts';
import { type PlacedFactors, placeFactors } from './place-factors.ts';
import { createTransformer, type Transformer } from './transformer.ts';

/** Windows of one forward pass of an evaluation. */
const EVALUATION_BATCH = 4;
/** The batch that a probe measures: the one that the documentation recommends. */
const PROBE_BATCH = 4;
/** A probe's first step warms the caches; the fastest of the others is least disturbed by what else runs. */
const PROBE_STEPS = 3;

export interface EngineHooks {
  /** Asked before each step. */
  readonly cancelled: () => boolean;
  readonly progress: (progress: TrainerProgress) => void;
}

/** One thread's trainer. It computes a request from start to end before the next, and keeps nothing of it but the base model. */
export interface Engine {
  train(request: TrainRequest, hooks: EngineHooks): TrainResult;
  evaluate(request: EvaluateRequest, hooks: EngineHooks): EvaluateResult;
  probe(request: ProbeRequest, hooks: EngineHooks): ProbeResult;
}

export function createEngine(model: BaseModel, options: { readonly heapBytesMax?: number } = {}): Engine {
  const { kernels, memory } = loadKernels(options.heapBytesMax);
  const heap = createHeap(memory);
  const weights = placeWeights(kernels, heap, model);
  const { config, modules } = model;
  const { length } = config;

  const place = (adapter: ReadonlyMap<string, AdapterModule>): PlacedFactors => placeFactors(kernels, heap, adapter);
  const transformer = (placed: PlacedFactors | null, batch: number): Transformer =>
    createTransformer(kernels, heap, {
      config,
      weights,
      factors: placed?.factors ?? new Map(),
      blockGradient: null,
      batch,
    });

  return {
    train: (request, hooks) =>
      scoped(heap, () => {
        const started = performance.now();
        if (existsSync(request.adapterOut))
          throw new TrainerError(
            'bad_request',
            `adapter_out ${request.adapterOut} exists: name a directory that does not`,
          );
        const scaling: PeftScaling = { kind: request.scaling, alpha: request.alpha };
        const source = {
          kind: 'given',
          of: (rank: number) => scalingFactor(scaling.kind, scaling.alpha, rank),
        } as const;
        const adapter = readAdapter(request.adapterIn, modules, source);
        requireRanks(request, adapter);
        const text = readData(request.data);
        const samples = countWindows(text, length);
        const placed = place(adapter);
        const net = transformer(placed, request.batchSize);
        const adam = createAdam(kernels, heap, placed.block);
        const random = createSeededRandom(request.seed);
        const losses: number[] = [];
        for (let step = 0; step < request.steps; step++) {
          requireNotCancelled(hooks);
          const windows = sampleWindows(text, length, request.batchSize, random);
          const { nats, targets } = net.forward(windows.inputs, windows.targets);
          losses.push(finiteLoss(nats / targets, step));
          net.backward();
          adam.step(request.learningRate);
          placed.refresh();
          hooks.progress({ done: step + 1, total: request.steps, loss: losses.at(-1)! });
        }
        const trained = placed.read();
        requireFinite(trained, request.steps);
        writeAdapter(request.adapterOut, trained, scaling);
        const [lossFirst, lossLast] = [losses[0]!, losses.at(-1)!];
        return { samples, steps: request.steps, lossFirst, lossLast, seconds: secondsSince(started) };
      }),

    evaluate: (request, hooks) =>
      scoped(heap, () => {
        const started = performance.now();
        const { adapterIn } = request;
        const placed = adapterIn === null ? null : place(readAdapter(adapterIn, modules, { kind: 'file' }));
        const text = readData(request.data);
        if (text.length < 2) throw new TrainerError('bad_data', `data has ${text.length} bytes; at least 2 are needed`);
        const net = transformer(placed, EVALUATION_BATCH);
        const total = Math.ceil((text.length - 1) / (length * EVALUATION_BATCH));
        let [sum, tokens, done] = [0, 0, 0];
        for (const { inputs, targets } of consecutiveWindows(text, length, EVALUATION_BATCH)) {
          requireNotCancelled(hooks);
          const result = net.forward(inputs, targets);
          sum += result.nats;
          tokens += result.targets;
          done += 1;
          hooks.progress({ done, total, loss: finiteLoss(result.nats / result.targets, done - 1) });
        }
        return { loss: sum / tokens, tokens, seconds: secondsSince(started) };
      }),

    probe: ({ ranks }, hooks) => ({
      measurements: ranks.map((rank, index): ProbeMeasurement => {
        const measurement = scoped(heap, () => {
          const random = createSeededRandom(rank);
          const placed = place(randomAdapter(modules, () => rank, 1, random));
          const net = transformer(placed, PROBE_BATCH);
          const adam = createAdam(kernels, heap, placed.block);
          const bytes = Uint8Array.from({ length: PROBE_BATCH * length + 1 }, () => random.below(config.vocabulary));
          let stepSeconds = Number.POSITIVE_INFINITY;
          for (let step = 0; step < PROBE_STEPS; step++) {
            requireNotCancelled(hooks);
            const windows = sampleWindows(bytes, length, PROBE_BATCH, random);
            const started = performance.now();
            net.forward(windows.inputs, windows.targets);
            net.backward();
            adam.step(1e-3);
            placed.refresh();
            if (step > 0) stepSeconds = Math.min(stepSeconds, secondsSince(started));
          }
          return { rank, memoryBytes: heap.usedBytes, stepSeconds };
        });
        hooks.progress({ done: index + 1, total: ranks.length, loss: null });
        return measurement;
      }),
    }),
  };
}

/** Gives back what the work allocated, also when it fails. */
function scoped<T>(heap: Heap, work: () => T): T {
  const mark = heap.mark();
  try {
    return work();
  } finally {
    heap.release(mark);
  }
}

function requireRanks(request: TrainRequest, adapter: ReadonlyMap<string, AdapterModule>): void {
  const names = new Set([...Object.keys(request.ranks), ...adapter.keys()]);
  for (const name of names) {
    const [asked, got] = [request.ranks[name], adapter.get(name)?.rank];
    if (asked !== got)
      throw new TrainerError(
        'bad_adapter',
        `module ${name} has ${got === undefined ? 'no factors' : `rank ${got}`} in ${request.adapterIn} and ${asked === undefined ? 'is not in ranks' : `rank ${asked} in ranks`}: they must agree`,
      );
  }
}

function requireNotCancelled(hooks: EngineHooks): void {
  if (hooks.cancelled()) throw new TrainerError('cancelled', 'the request was cancelled');
}

function finiteLoss(loss: number, step: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new TrainerError('diverged', `the loss is ${loss} at step ${step + 1}: lower learning_rate or alpha`);
}

function requireFinite(adapter: ReadonlyMap<string, AdapterModule>, steps: number): void {
  for (const [name, { a, b }] of adapter)
    if (!a.every(Number.isFinite) || !b.every(Number.isFinite))
      throw new TrainerError(
        'diverged',
        `module ${name} is not finite after step ${steps}: lower learning_rate or alpha`,
      );
}

const secondsSince = (started: number): number => (performance.now() - started) / 1_000;
