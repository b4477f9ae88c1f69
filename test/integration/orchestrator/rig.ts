import { AgentServiceClient } from '@flexlora/contracts/agent/v1/agent_service';
import { AggregationServiceClient } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { type Run, RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { LatePolicy, UpdateFormat } from '@flexlora/contracts/run/v1/run_spec';
import { TransferServiceClient } from '@flexlora/contracts/transfer';
import { createOrchestrator, ORCHESTRATOR_DEFAULTS, type OrchestratorOptions } from '@flexlora/orchestrator';
import { cancelOn, connectClient, silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, createMemoryRoundStore, type ObjectStore, type RoundStore } from '@flexlora/stores';

/** One orchestrator and clients of all its services, over loopback sockets. */
export interface Station {
  readonly runs: InstanceType<typeof RunServiceClient>;
  readonly agents: InstanceType<typeof AgentServiceClient>;
  readonly aggregation: InstanceType<typeof AggregationServiceClient>;
  readonly transfer: InstanceType<typeof TransferServiceClient>;
  readonly statusPort: number;
  stop(): Promise<void>;
}

/** Stores that any number of stations share. */
export interface Rig {
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  /** `stores` replace the shared ones, to put a fault between. */
  start(
    options?: Partial<OrchestratorOptions>,
    stores?: { readonly roundStore?: RoundStore; readonly objectStore?: ObjectStore },
  ): Promise<Station>;
  /** Stops every station that was started. */
  close(): Promise<void>;
}

/** `objectStore`: what another rig left, to begin with a round store that lost everything. */
export function createRig(objectStore: ObjectStore = createMemoryObjectStore()): Rig {
  const roundStore = createMemoryRoundStore({ now: systemClock.nowMs });
  const stations: Station[] = [];
  return {
    roundStore,
    objectStore,
    start: async (options = {}, stores = {}) => {
      const deps = {
        roundStore,
        objectStore,
        ...stores,
        clock: systemClock,
        logger: silentLogger,
        random: Math.random,
      };
      const orchestrator = await createOrchestrator(deps, { ...ORCHESTRATOR_DEFAULTS, ...options });
      const channel = { target: `127.0.0.1:${orchestrator.port}`, tls: null };
      const clients = {
        runs: connectClient(RunServiceClient, channel),
        agents: connectClient(AgentServiceClient, channel),
        aggregation: connectClient(AggregationServiceClient, channel),
        transfer: connectClient(TransferServiceClient, channel),
      };
      const station: Station = {
        ...clients,
        statusPort: orchestrator.statusPort!,
        stop: async () => {
          await orchestrator.stop();
          for (const client of Object.values(clients)) client.close();
        },
      };
      stations.push(station);
      return station;
    },
    close: async () => {
      await Promise.all(stations.map((station) => station.stop()));
    },
  };
}

/** Follows a run until it is as asked for. */
export async function watchUntil(
  station: Station,
  runId: string,
  isReached: (run: Run) => boolean,
  signal?: AbortSignal,
): Promise<Run> {
  const stream = cancelOn(station.runs.watchRun({ runId, withoutCohort: false }), signal);
  for await (const response of stream as AsyncIterable<{ readonly run: Run | undefined }>) {
    if (response.run !== undefined && isReached(response.run)) return response.run;
  }
  throw new Error(`run ${runId} ended before it was as asked for`);
}

/** A run of two modules in two rank groups, whose rank follows from memory alone. */
export function toySpec(change: Partial<RunSpec> = {}): RunSpec {
  return {
    runId: 'toy',
    baseModelName: 'toy',
    baseModelDigest: 'ab'.repeat(32),
    modules: [
      { name: 'layers.0.q_proj', outFeatures: 8, inFeatures: 6, rankGroup: 'attention' },
      { name: 'layers.0.up_proj', outFeatures: 10, inFeatures: 8, rankGroup: 'feed-forward' },
    ],
    rank: { min: 1, max: 4, tiers: [1, 2, 4], policy: 2 },
    rounds: 2,
    cohort: { goal: 2, minimum: 2, overSelection: 1, late: LatePolicy.REFUSE },
    timing: { collectingMs: 600_000, taskLeaseMs: 60_000, agentReadyMs: 600_000 },
    training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 8, scaling: 1 },
    strategy: 1,
    svdSplit: 1,
    aggregation: { tolerance: 1.001 },
    seed: 7,
    origin: undefined,
    updateFormat: UpdateFormat.AS_TRAINED,
    ...change,
  };
}
