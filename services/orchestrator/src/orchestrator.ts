import { randomBytes } from 'node:crypto';
import {
  type Clock,
  createHandlerAdapter,
  createLifecycle,
  createServiceMetrics,
  createStatusServer,
  type GrpcServerOptions,
  grpcTransport,
  type Lifecycle,
  type Logger,
  type Transport,
} from '@flexlora/runtime';
import type { ObjectStore, RoundStore } from '@flexlora/stores';
import { bindAgentService } from './handlers/agent-service.ts';
import { bindAggregationService } from './handlers/aggregation-service.ts';
import type { ControlDeps } from './handlers/control-deps.ts';
import { bindRunService } from './handlers/run-service.ts';
import {
  DRAIN_MS,
  HELD_CALLS_MAX,
  SHARED_BYTES_MAX,
  SHARED_PART_BYTES_MAX,
  STOP_STEP_MS,
  WATCHERS_MAX,
} from './limits.ts';
import { createOrchestratorMetrics, type OrchestratorMetrics } from './metrics.ts';
import { createEventDoor } from './offer-event.ts';
import { createPresence } from './presence.ts';
import { createReadiness } from './readiness.ts';
import { createRunRecovery } from './recovery/run-recovery.ts';
import { createReplyWaiters } from './reply-waiters.ts';
import { createRunKeeper } from './run-keeper.ts';
import { createRunOccasions } from './run-occasions.ts';
import { createRunReader } from './run-reader.ts';
import { createRunSignals } from './run-signals.ts';
import { createSharedReads } from './shared-reads.ts';
import { createSlots } from './slots.ts';
import { createManifestCache } from './transfer/manifest-cache.ts';
import { bindTransferService, type TransferDeps } from './transfer/transfer-service.ts';

/** A process that serves runs: decisions, bytes, or both. Any number of them share the same stores. */
export interface Orchestrator {
  /** Of gRPC. */
  readonly port: number;
  /** Of /livez, /readyz and /metrics; null where they are not served. */
  readonly statusPort: number | null;
  /** Not ready, leases given back, calls drained. The stores stay open: they are the caller's. */
  stop(): Promise<void>;
}

export interface OrchestratorDeps {
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1); for jitter alone. */
  readonly random: () => number;
  /** 128 bits in hexadecimal digits, never the same twice; from the system's randomness when absent. */
  readonly randomId?: () => string;
  /** gRPC over sockets when absent. */
  readonly transport?: Transport;
}

export interface OrchestratorOptions {
  readonly role: 'control' | 'transfer' | 'all';
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** 0 takes a free one; null serves none. */
  readonly statusPort: number | null;
  readonly leaseMs: number;
  readonly uploadStreamsMax: number;
  readonly downloadStreamsMax: number;
  readonly tls: GrpcServerOptions['tls'];
  readonly reflection: GrpcServerOptions['reflection'];
}

/** What a single process with embedded stores needs, and a place to begin for others. */
export const ORCHESTRATOR_DEFAULTS: OrchestratorOptions = {
  role: 'all',
  host: '127.0.0.1',
  port: 0,
  statusPort: 0,
  leaseMs: 5_000,
  uploadStreamsMax: 64,
  downloadStreamsMax: 256,
  tls: null,
  reflection: null,
};

/** @throws {Fault} when a store does not answer, and when a port is taken. */
export async function createOrchestrator(
  deps: OrchestratorDeps,
  options: OrchestratorOptions = ORCHESTRATOR_DEFAULTS,
): Promise<Orchestrator> {
  const { roundStore, objectStore, logger } = deps;
  const lifecycle = createLifecycle(logger);
  try {
    await Promise.all([roundStore.checkReady(), objectStore.checkReady()]);
    const service = createServiceMetrics();
    const metrics = createOrchestratorMetrics(service.registry);
    const readiness = createReadiness(deps);
    const { statusPort } = options;
    const status =
      statusPort === null
        ? null
        : await createStatusServer({
            host: options.host,
            port: statusPort,
            registry: service.registry,
            whyNotReady: readiness.whyNotReady,
          });
    if (status !== null) lifecycle.onStop('status server', STOP_STEP_MS, () => status.close());
    const control = await buildControl(deps, metrics, lifecycle);
    const adapter = createHandlerAdapter({ metrics: service.grpc, logger });
    const services = [
      ...(options.role === 'transfer' ? [] : bindControl(control, adapter)),
      ...(options.role === 'control' ? [] : [bindTransfer(deps, options, control, metrics, adapter)]),
    ];
    if (options.role !== 'transfer') keepRuns(deps, control, metrics, lifecycle, options.leaseMs);
    // Stopped before the runs are given back, so that calls under way still get their replies.
    const { host, port, tls, reflection } = options;
    const transport = deps.transport ?? grpcTransport;
    const door = await transport.serve({ host, port, services, tls, reflection }, { logger });
    lifecycle.onStop('gRPC server', DRAIN_MS + STOP_STEP_MS, () => door.stop(DRAIN_MS));
    readiness.watch((serving) => door.setServing(serving), lifecycle.signal);
    return { port: door.port, statusPort: status?.port ?? null, stop: () => lifecycle.stop('asked') };
  } catch (error) {
    await lifecycle.stop('the start failed');
    throw error;
  }
}

async function buildControl(
  deps: OrchestratorDeps,
  metrics: OrchestratorMetrics,
  lifecycle: Lifecycle,
): Promise<ControlDeps> {
  const { roundStore, objectStore, clock, random, logger } = deps;
  const signals = await createRunSignals({ roundStore, clock });
  lifecycle.onStop('signals', STOP_STEP_MS, () => signals.close());
  const waiters = createReplyWaiters({ roundStore, signals, clock });
  const door = createEventDoor({ roundStore, waiters, clock, metrics });
  const reader = createRunReader({ roundStore, signals, clock });
  const randomId = deps.randomId ?? (() => randomBytes(RANDOM_ID_BYTES).toString('hex'));
  const stopping = lifecycle.signal;
  // One listener for all held calls: a listener of each would cost more with each that waits.
  stopping.addEventListener('abort', () => signals.wakeAll(), { once: true });
  const occasions = createRunOccasions({ roundStore, reader, signals, clock, logger, stopping });
  const presence = createPresence({ door, clock, randomId });
  const heldSlots = createSlots('calls that wait for work', HELD_CALLS_MAX);
  const watchSlots = createSlots('watchers', WATCHERS_MAX);
  return {
    roundStore,
    objectStore,
    logger,
    reader,
    door,
    signals,
    occasions,
    presence,
    heldSlots,
    watchSlots,
    clock,
    random,
    randomId,
    stopping,
  };
}

function keepRuns(
  deps: OrchestratorDeps,
  control: ControlDeps,
  metrics: OrchestratorMetrics,
  lifecycle: Lifecycle,
  leaseMs: number,
): void {
  const holder = `orchestrator-${control.randomId()}`;
  const keeper = createRunKeeper({ ...deps, ...control, metrics }, { holder, leaseMs });
  lifecycle.onStop('leases', STOP_STEP_MS, () => keeper.stop());
  const recovery = createRunRecovery({ ...deps, ...control });
  lifecycle.onStop('recovery', STOP_STEP_MS, () => recovery.stop());
}

/** 128 bits: never the same twice. */
const RANDOM_ID_BYTES = 16;

const bindControl = (control: ControlDeps, adapter: ReturnType<typeof createHandlerAdapter>) => [
  bindRunService(control, adapter),
  bindAgentService(control, adapter),
  bindAggregationService(control, adapter),
];

function bindTransfer(
  { objectStore, clock }: OrchestratorDeps,
  options: OrchestratorOptions,
  { reader, door, randomId }: ControlDeps,
  metrics: OrchestratorMetrics,
  adapter: ReturnType<typeof createHandlerAdapter>,
) {
  const limits = { partBytesMax: SHARED_PART_BYTES_MAX, bytesMax: SHARED_BYTES_MAX };
  const transfer: TransferDeps = {
    objectStore: createSharedReads(objectStore, limits),
    reader,
    door,
    manifests: createManifestCache(objectStore),
    uploadSlots: createSlots('uploads', options.uploadStreamsMax, (change) =>
      metrics.transferStreams('upload', change),
    ),
    downloadSlots: createSlots('downloads', options.downloadStreamsMax, (change) =>
      metrics.transferStreams('download', change),
    ),
    clock,
    metrics,
    randomId,
  };
  return bindTransferService(transfer, adapter);
}
