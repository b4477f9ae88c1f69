import { join } from 'node:path';
import type { AgentDisk } from '../disk/agent-disk.ts';
import { createNodeDisk } from '../disk/node-disk.ts';
import { type Trainer, TrainerError, type TrainRequest } from '../trainer.ts';
import { SPEC } from './fake-adapter.ts';

export const SAMPLES = 40;

/** What a training does: hands its adapter back, fails, or goes on until it is cancelled. */
export type Behaviour = 'train' | 'hang' | TrainerError;

export interface ScriptedTrainer extends Trainer {
  readonly trainings: TrainRequest[];
  readonly probes: (readonly number[])[];
}

/** A trainer whose update is the adapter that it started from. `behaviours` are those of its trainings in order; then all succeed. */
export function createScriptedTrainer(
  behaviours: readonly Behaviour[] = [],
  disk: AgentDisk = createNodeDisk(),
): ScriptedTrainer {
  const trainings: TrainRequest[] = [];
  const probes: (readonly number[])[] = [];
  return {
    trainings,
    probes,
    hello: async () => ({
      trainer: 'scripted',
      version: '1',
      modules: SPEC.modules.map(({ name, outFeatures, inFeatures }) => ({ name, out: outFeatures, in: inFeatures })),
      baseDigest: SPEC.baseModelDigest,
    }),
    probe: async ({ ranks }) => {
      probes.push(ranks);
      return { measurements: ranks.map((rank) => ({ rank, memoryBytes: 1_000 + rank, stepSeconds: 0.5 })) };
    },
    train: async (request, options = {}) => {
      const behaviour = behaviours[trainings.length] ?? 'train';
      trainings.push(request);
      options.onProgress?.({ done: 1, total: request.steps, loss: 3 });
      if (behaviour === 'hang') await cancelled(options.signal);
      if (behaviour instanceof TrainerError) throw behaviour;
      await disk.makeDirectory(request.adapterOut);
      for (const name of ['adapter_model.safetensors', 'adapter_config.json']) {
        await copyFile(disk, join(request.adapterIn, name), join(request.adapterOut, name));
      }
      options.onProgress?.({ done: request.steps, total: request.steps, loss: 1.5 });
      return { samples: SAMPLES, steps: request.steps, lossFirst: 3, lossLast: 1.5, seconds: 0.1 };
    },
    evaluate: async () => ({ loss: 1, tokens: 1, seconds: 0.1 }),
    close: async () => {},
  };
}

async function copyFile(disk: AgentDisk, from: string, to: string): Promise<void> {
  const content = await disk.read(from);
  if (content === null) throw new TrainerError('bad_adapter', `${from} is not there`);
  const file = await disk.create(to);
  await file.write(content, 0);
  await file.close();
}

function cancelled(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const cancel = (): void => reject(new TrainerError('cancelled', 'as asked'));
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}
