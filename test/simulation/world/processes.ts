import { createAggregator } from '@flexlora/aggregator';
import { createClientAgent, createMemoryDisk, createPlatformDoor } from '@flexlora/client-agent';
import { createOrchestrator, ORCHESTRATOR_DEFAULTS } from '@flexlora/orchestrator';
import type { silentLogger, Transport } from '@flexlora/runtime';
import type { ObjectStore, RoundStore } from '@flexlora/stores';
import { oneOf } from '../../chaos/plan/seeded-random.ts';
import type { Findings } from '../checks/findings.ts';
import type { ReceiptWatch } from '../checks/receipt-watch.ts';
import type { TrainingWatch } from '../checks/training-watch.ts';
import type { FaultPlan, StoreName } from '../faults/fault-plan.ts';
import type { Gate } from '../hosts/gate.ts';
import { gatedDisk } from '../hosts/gated-disk.ts';
import type { Host, Life } from '../hosts/host.ts';
import { gatedObjectStore, gatedRoundStore } from '../stores/gated-stores.ts';
import type { StoreWeather } from '../stores/store-weather.ts';
import { ORCHESTRATOR_PORT, ORCHESTRATOR_TARGET } from './addresses.ts';
import { createInThreadKernel } from './in-thread-kernel.ts';
import { receiptsOf } from './receipts-of.ts';
import { RUN_ID } from './run-of-world.ts';
import { createSimulatedTrainer } from './simulated-trainer.ts';

/** A host and the program that runs on it. */
export interface Machine {
  readonly host: Host;
  /** Rejects when the program could not start, or ended by itself. */
  start(life: Life, gate: Gate, transport: Transport): Promise<void>;
  /** What was not synced to its disk is gone. */
  lostPower(): void;
  fill(): void;
  empty(): void;
}

export interface ProcessDeps {
  readonly plan: FaultPlan;
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  readonly weather: Readonly<Record<StoreName, StoreWeather>>;
  latencyMs(most: number): number;
  /** Each host's own numbers, so that what one does changes no other's. */
  randomOf(host: string): () => number;
  readonly receipts: ReceiptWatch;
  readonly trainings: TrainingWatch;
  readonly findings: Findings;
  trace(line: string): void;
}

const noDisk = { lostPower: () => {}, fill: () => {}, empty: () => {} };

export function startOrchestrator(deps: ProcessDeps, host: Host): Machine {
  const random = deps.randomOf(host.name);
  return {
    host,
    ...noDisk,
    start: async (life, gate, transport) => {
      const stores = storesOf(deps, life, gate);
      await createOrchestrator(
        {
          ...stores,
          clock: life.clock,
          logger: loggerOf(deps, life),
          random,
          randomId: () => hexOf(random, 32),
          transport,
        },
        { ...ORCHESTRATOR_DEFAULTS, port: ORCHESTRATOR_PORT, statusPort: null },
      );
    },
  };
}

export function startAggregator(deps: ProcessDeps, host: Host): Machine {
  const random = deps.randomOf(host.name);
  return {
    host,
    ...noDisk,
    start: async (life, gate, transport) => {
      const { objectStore } = storesOf(deps, life, gate);
      const kernel = createInThreadKernel();
      const newClaimId = (): string => hexOf(random, 8);
      await createAggregator(
        { objectStore, kernel, clock: life.clock, logger: loggerOf(deps, life), random, newClaimId, transport },
        { aggregatorId: host.name, orchestrator: { target: ORCHESTRATOR_TARGET, tls: null }, parallelTasks: 1 },
      );
    },
  };
}

/** Patience of minutes would make a simulated run long, and show nothing more. */
const AGENT_PATIENCE = {
  retry: { firstMs: 500, mostMs: 5_000, attemptsMax: Number.POSITIVE_INFINITY },
  refusedRetry: { firstMs: 1_000, mostMs: 5_000, attemptsMax: Number.POSITIVE_INFINITY },
  failedRetry: { firstMs: 1_000, mostMs: 5_000, attemptsMax: Number.POSITIVE_INFINITY },
} as const;
/** Of one rank, and of two. */
const MEMORY_BYTES = [1_300, 1_000_000] as const;

export function startAgent(deps: ProcessDeps, host: Host): Machine {
  const random = deps.randomOf(host.name);
  const disk = createMemoryDisk();
  const memoryBytesMax = oneOf(random, MEMORY_BYTES);
  return {
    host,
    lostPower: () => {
      // A process that is killed alone leaves its writes to the system.
      if (random() < 0.5) disk.crash();
    },
    fill: () => disk.fill(),
    empty: () => disk.free(),
    start: async (life, gate, transport) => {
      const agentId = life.host;
      const ownDisk = gatedDisk(gate, disk);
      const began = (round: number): void => deps.trainings.began(agentId, round);
      const trainer = createSimulatedTrainer({ disk: ownDisk, clock: life.clock, gate, random, began });
      const channel = { target: ORCHESTRATOR_TARGET, tls: null };
      const platform = createPlatformDoor({ control: channel }, { transport });
      const door = { ...platform, transfers: receiptsOf(platform.transfers, agentId, deps.receipts) };
      const logger = loggerOf(deps, life);
      const agent = createClientAgent(
        { trainer, clock: life.clock, random, logger, door, disk: ownDisk },
        {
          runId: RUN_ID,
          agentId,
          control: channel,
          workDirectory: '/work',
          data: null,
          memoryBytesMax,
          uplinkBytesPerSecond: 1e9,
          limits: AGENT_PATIENCE,
        },
      );
      agent.run(new AbortController().signal).then(
        (outcome) => deps.trace(`${agentId} has ended: ${outcome}`),
        (error: unknown) => deps.findings.broken(`${agentId} gave up: ${describe(error)}`),
      );
    },
  };
}

function storesOf(deps: ProcessDeps, life: Life, gate: Gate) {
  const { latencyMsMax } = deps.plan.world;
  const gated = { gate, life, latencyMs: deps.latencyMs };
  return {
    roundStore: gatedRoundStore(gated, deps.roundStore, deps.weather.roundStore, latencyMsMax),
    objectStore: gatedObjectStore(gated, deps.objectStore, deps.weather.objectStore, latencyMsMax),
  };
}

const hexOf = (random: () => number, digits: number): string =>
  Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');

/** What the services log of an answer that is neither a refusal nor a fault: a bug. */
const HANDLER_BUG = 'a handler failed';

/** What no backend throws. */
const isBug = (error: unknown): boolean =>
  error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

/** Lines of a trace; what a service calls a bug of its own is a finding. */
function loggerOf(deps: ProcessDeps, life: Life): typeof silentLogger {
  const tell = (level: string, fields: object, message: string): void => {
    if (life.isOver) return;
    const { err, ...rest } = fields as { readonly err?: unknown };
    deps.trace(`${life.host} ${level} ${message} ${JSON.stringify(rest)}${err === undefined ? '' : ` ${String(err)}`}`);
  };
  const logger: typeof silentLogger = {
    debug: () => {},
    info: (fields, message) => tell('info', fields, message),
    warn: (fields, message) => tell('warn', fields, message),
    error: (fields, message) => {
      tell('ERROR', fields, message);
      const { err } = fields as { readonly err?: unknown };
      if (!life.isOver && (message === HANDLER_BUG || isBug(err)))
        deps.findings.broken(`${life.host}: ${message}: ${describe(err)}`);
    },
    child: () => logger,
  };
  return logger;
}
