import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ExportAdapterRequest, exportAdapter, type Trainer } from '@flexlora/client-agent';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import type { ChannelOptions, Clock, Logger } from '@flexlora/runtime';

/** Evaluates published adapters on held-out text, as any reader of the platform could: downloads them and asks a trainer. */
export interface Evaluator {
  baseLoss(signal: AbortSignal): Promise<number>;
  /** Held-out loss of an adapter version, cut to a rank (nats per token). */
  adapterLoss(version: number, rank: number, signal: AbortSignal): Promise<number>;
  /** Writes an adapter version at a rank as a PEFT directory; answers its path. */
  writeAdapter(version: number, rank: number, directory: string, signal: AbortSignal): Promise<void>;
}

export interface EvaluatorDeps {
  readonly trainer: Trainer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

export interface EvaluatorOptions {
  readonly transfer: ChannelOptions;
  readonly spec: RunSpec;
  /** Scratch space; adapters are downloaded into it. */
  readonly directory: string;
  /** The trainer's own name of the held-out text. */
  readonly data: unknown;
}

export function createEvaluator(deps: EvaluatorDeps, options: EvaluatorOptions): Evaluator {
  const { trainer } = deps;
  const { data, spec } = options;
  const groups = new Set(spec.modules.map((module) => module.rankGroup));
  const write = (version: number, rank: number, directory: string, signal: AbortSignal): Promise<void> => {
    const ranks = Object.fromEntries([...groups].map((group) => [group, rank]));
    const request: ExportAdapterRequest = { transfer: options.transfer, spec, version, ranks, directory, signal };
    return exportAdapter(deps, request);
  };
  return {
    baseLoss: async (signal) => (await trainer.evaluate({ adapterIn: null, data }, { signal })).loss,
    adapterLoss: async (version, rank, signal) => {
      const directory = join(options.directory, `version-${version}-rank-${rank}`);
      await write(version, rank, directory, signal);
      try {
        return (await trainer.evaluate({ adapterIn: directory, data }, { signal })).loss;
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
    writeAdapter: write,
  };
}
