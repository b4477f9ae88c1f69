import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createAggregator } from '@flexlora/aggregator';
import type { ClientAgentOptions, Trainer } from '@flexlora/client-agent';
import { RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import {
  LatePolicy,
  RankPolicy,
  type RunSpec,
  Scaling,
  Strategy,
  SvdSplit,
  UpdateFormat,
} from '@flexlora/contracts/run/v1/run_spec';
import { createPortableKernel } from '@flexlora/kernel';
import { createOrchestrator } from '@flexlora/orchestrator';
import { connectClient, silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, createMemoryRoundStore } from '@flexlora/stores';

/** An orchestrator and an aggregator in this process, over stores in memory. */
export async function startMemoryPlatform() {
  const deps = {
    roundStore: createMemoryRoundStore({ now: systemClock.nowMs }),
    objectStore: createMemoryObjectStore(),
    kernel: createPortableKernel(),
    clock: systemClock,
    logger: silentLogger,
    random: Math.random,
  };
  const orchestrator = await createOrchestrator(deps);
  const control = { target: `127.0.0.1:${orchestrator.port}`, tls: null };
  const aggregator = await createAggregator(deps, {
    aggregatorId: 'aggregator-1',
    orchestrator: control,
    parallelTasks: 1,
    stopGraceMs: 0,
  });
  const runs = connectClient(RunServiceClient, control);
  return {
    deps,
    control,
    port: orchestrator.port,
    runs,
    /** Of an agent that has room for every rank. */
    agentOptions: (runId: string, agentId: string, workDirectory: string): ClientAgentOptions => ({
      runId,
      agentId,
      control,
      workDirectory,
      data: {},
      memoryBytesMax: 1_000,
      uplinkBytesPerSecond: 1e6,
    }),
    stop: async () => {
      runs.close();
      await aggregator.stop();
      await orchestrator.stop();
    },
  };
}

export interface TestModule {
  readonly name: string;
  readonly out: number;
  readonly in: number;
}

const BASE_DIGEST = 'a'.repeat(64);

/** A run of two agents and one round, of what trainers from `createTestTrainer` train. */
export const testRunSpec = (
  modules: readonly TestModule[],
  more: Pick<RunSpec, 'runId' | 'rank'> & Partial<RunSpec>,
): RunSpec => ({
  baseModelName: 'test',
  baseModelDigest: BASE_DIGEST,
  modules: modules.map(({ name, out, in: columns }) => ({
    name,
    outFeatures: out,
    inFeatures: columns,
    rankGroup: 'attention',
  })),
  rounds: 1,
  cohort: { goal: 2, minimum: 2, overSelection: 1, late: LatePolicy.REFUSE },
  timing: { collectingMs: 60_000, taskLeaseMs: 15_000, agentReadyMs: 60_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 1, scaling: Scaling.CONSTANT },
  strategy: Strategy.FLEXLORA,
  svdSplit: SvdSplit.B,
  aggregation: undefined,
  seed: 1,
  origin: undefined,
  updateFormat: UpdateFormat.AS_TRAINED,
  ...more,
});

export const memoryFit = (tiers: readonly number[], max: number): NonNullable<RunSpec['rank']> => ({
  min: Math.min(...tiers),
  max,
  tiers: [...tiers],
  policy: RankPolicy.MEMORY_FIT,
});

/** A trainer that takes no time: `write` fills the folder of its adapter, which is there. */
export const createTestTrainer = (
  modules: readonly TestModule[],
  write: (request: Parameters<Trainer['train']>[0]) => Promise<void>,
): Trainer => ({
  hello: async () => ({ trainer: 'test', version: '1', modules: [...modules], baseDigest: BASE_DIGEST }),
  probe: async ({ ranks }) => ({
    measurements: ranks.map((rank) => ({ rank, memoryBytes: rank, stepSeconds: 0.001 })),
  }),
  train: async (request) => {
    await mkdir(request.adapterOut);
    await write(request);
    return { samples: 1, steps: request.steps, lossFirst: 1, lossLast: 1, seconds: 0.001 };
  },
  evaluate: () => assert.fail('nobody evaluates here'),
  close: async () => {},
});
