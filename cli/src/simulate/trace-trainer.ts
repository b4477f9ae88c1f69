import { type Trainer, TrainerError, type TrainRequest } from '@flexlora/client-agent';
import type { PeftFileModule } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import type { Noise } from './noise.ts';
import { type Device, memoryBytesAt, stepSecondsAt, type Traces } from './traces.ts';

/** The model that every virtual trainer says it has. */
export interface SimulatedModel {
  readonly baseDigest: string;
  readonly modules: readonly { readonly name: string; readonly out: number; readonly in: number }[];
}

export interface TraceTrainerDeps {
  readonly clock: Clock;
  readonly traces: Traces;
  readonly noise: Noise;
  /** Makes the PEFT directory. */
  readonly write: (directory: string, pieces: Iterable<Uint8Array>) => Promise<void>;
}

export interface TraceTrainerOptions {
  readonly index: number;
  readonly device: Device;
  readonly model: SimulatedModel;
  /** Seconds of the traces in a second. */
  readonly speed: number;
  /** The round that the agent was assigned last. */
  readonly round: () => number;
  /** Whether the fate of this assignment has struck already: it does so once. */
  readonly isStruck: (round: number) => boolean;
  /** The device goes away now, and says nothing. */
  readonly vanish: () => void;
}

/** Times at which a training tells how far it is. */
const PROGRESS_STEPS = 4;

/** A trainer that takes the time its trace says, and writes noise. */
export function createTraceTrainer(deps: TraceTrainerDeps, options: TraceTrainerOptions): Trainer {
  const { clock, traces, noise } = deps;
  const { index, device, model, speed } = options;

  async function train(request: TrainRequest, { signal, onProgress }: Parameters<Trainer['train']>[1] = {}) {
    const round = options.round();
    const modules = model.modules.map(
      (module): PeftFileModule => ({ ...module, rank: request.ranks[module.name] ?? 0 }),
    );
    const rank = Math.max(...modules.map((module) => module.rank));
    const seconds = traces.trainingSeconds(index, round, rank);
    const fate = options.isStruck(round) ? 'completes' : traces.fate(index, round);
    const share = fate === 'vanishes' || fate === 'fails' ? traces.shareDone(index, round) : 1;
    for (let step = 0; ; step += 1) {
      const done = Math.floor((request.steps * share * step) / PROGRESS_STEPS);
      onProgress?.({ done, total: request.steps, loss: LOSS });
      if (step === PROGRESS_STEPS) break;
      await clock.sleep((seconds * share * 1_000) / speed / PROGRESS_STEPS, signal);
    }
    if (fate === 'vanishes') options.vanish();
    signal?.throwIfAborted();
    if (fate === 'fails') throw new TrainerError('out_of_memory', 'the trace of this device says so');
    await deps.write(request.adapterOut, noise.update(modules, `${device.agentId}/${round}`));
    return { samples: device.samples, steps: request.steps, lossFirst: LOSS, lossLast: LOSS, seconds };
  }

  return {
    hello: async () => ({ trainer: 'trace', version: '1', modules: model.modules, baseDigest: model.baseDigest }),
    // Traces are faster than the clock, and so is what the device tells of itself: the round is as much shorter.
    probe: async ({ ranks }) => ({
      measurements: ranks.map((rank) => ({
        rank,
        memoryBytes: memoryBytesAt(rank),
        stepSeconds: stepSecondsAt(device, rank) / speed,
      })),
    }),
    train,
    evaluate: () => Promise.reject(new TrainerError('bad_request', 'a trace has no model to evaluate')),
    close: async () => {},
  };
}

/** Noise has no loss; the platform wants a number. */
const LOSS = 1;
