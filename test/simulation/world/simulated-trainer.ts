import { createHash } from 'node:crypto';
import { type AgentDisk, type Trainer, TrainerError, type TrainRequest } from '@flexlora/client-agent';
import { encodePeftFile } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import { createSeededRandom } from '../../chaos/plan/seeded-random.ts';
import type { Gate } from '../hosts/gate.ts';
import { BASE_DIGEST, MODULES, TRAINING_MS_MAX } from './run-of-world.ts';

export interface SimulatedTrainerDeps {
  readonly disk: AgentDisk;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly random: () => number;
  /** A training for this round begins. */
  began(round: number): void;
}

/** Of every agent. */
const SAMPLES = 40;
const FILE = 'adapter_model.safetensors';

/** Takes its time and trains nothing: the update follows from the request and from the bytes of the adapter that it starts from. */
export function createSimulatedTrainer(deps: SimulatedTrainerDeps): Trainer {
  const pause = (): Promise<void> => deps.clock.sleep((TRAINING_MS_MAX / 4) * (1 + deps.random()));

  const train = async (request: TrainRequest): Promise<void> => {
    const before = await deps.disk.read(`${request.adapterIn}/${FILE}`);
    if (before === null) throw new TrainerError('bad_adapter', `there is no ${FILE} in ${request.adapterIn}`);
    await deps.disk.makeDirectory(request.adapterOut);
    const file = await deps.disk.create(`${request.adapterOut}/${FILE}`);
    const bytes = updateBytes(request, before);
    await file.write(bytes, 0);
    await file.close();
  };

  return {
    hello: async () => ({
      trainer: 'simulated',
      version: '1',
      modules: MODULES.map(({ name, outFeatures, inFeatures }) => ({ name, out: outFeatures, in: inFeatures })),
      baseDigest: BASE_DIGEST,
    }),
    probe: async ({ ranks }) => ({
      measurements: ranks.map((rank) => ({ rank, memoryBytes: 1_000 + 100 * rank, stepSeconds: 0.01 })),
    }),
    train: async (request, { onProgress } = {}) => {
      deps.began(Number(/round-(\d+)/.exec(request.adapterOut)?.[1]));
      await pause();
      onProgress?.({ done: 1, total: request.steps, loss: 3 });
      await deps.gate.pass('trainer.train', {
        latencyMs: () => 0,
        perform: async () => {},
        fault: (why) => new TrainerError('exited', why),
      });
      await pause();
      await train(request).catch((cause: Error) => {
        throw cause instanceof TrainerError ? cause : new TrainerError('internal', cause.message, { cause });
      });
      return { samples: SAMPLES, steps: request.steps, lossFirst: 3, lossLast: 1.5, seconds: 1 };
    },
    evaluate: async () => ({ loss: 1, tokens: 1, seconds: 1 }),
    close: async () => {},
  };
}

function updateBytes(request: TrainRequest, before: Buffer): Buffer {
  const hash = createHash('sha256')
    .update(before)
    .update(JSON.stringify([request.seed, request.ranks]));
  const random = createSeededRandom(hash.digest().readUInt32LE());
  const values = (count: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: count }, () => random() - 0.5);
  const modules = MODULES.map(({ name, outFeatures, inFeatures }) => ({
    name,
    out: outFeatures,
    in: inFeatures,
    rank: request.ranks[name] ?? 0,
  }));
  const factors = modules.map(({ out, in: columns, rank }) => ({
    rank,
    b: values(out * rank),
    a: values(rank * columns),
  }));
  return Buffer.concat([...encodePeftFile(modules, factors)]);
}
