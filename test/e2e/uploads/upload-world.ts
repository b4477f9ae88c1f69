import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Assignment } from '@flexlora/contracts/agent/v1/agent_service';
import { AgentServiceClient } from '@flexlora/contracts/agent/v1/agent_service';
import { AggregationServiceClient } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { TransferServiceClient } from '@flexlora/contracts/transfer';
import { connectClient } from '@flexlora/runtime';
import { createS3ObjectStore, type ObjectStore } from '@flexlora/stores';
import { freePorts } from '../../../cli/src/backing/free-ports.ts';
import { createRun } from '../../chaos/world/create-run.ts';
import { agentEnvironment, orchestratorEnvironment, TRAINER_MARK } from '../../chaos/world/environments.ts';
import type { MinioServer } from '../../harness/containers/minio-server.ts';
import type { RedisServer } from '../../harness/containers/redis-server.ts';
import { pidIn } from '../../harness/processes/process-group.ts';
import { createServiceProcess, type LogLine, type ServiceProcess } from '../../harness/processes/service-process.ts';
import { type FaultProxy, openFaultProxy } from '../../harness/proxy/fault-proxy.ts';
import { awaitAssignment, enrol } from '../../integration/orchestrator/fake-agent.ts';
import { work } from '../../integration/orchestrator/fake-aggregator.ts';
import type { Station } from '../../integration/orchestrator/rig.ts';
import { createUploadWire, type UploadWire } from './upload-wire.ts';

const REPLICAS = 2;
const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** A replica that carries bytes and decides nothing; agents reach it over a proxy of its own. */
export interface TransferReplica {
  readonly process: ServiceProcess;
  readonly proxy: FaultProxy;
}

/** An orchestrator that decides, two that carry bytes, and agents: processes over stores, and what agents upload is read on its way. */
export interface UploadWorld {
  readonly station: Station;
  readonly objectStore: ObjectStore;
  readonly replicas: readonly TransferReplica[];
  readonly wire: UploadWire;
  /** Where agents keep what they have. */
  readonly agentsDirectory: string;
  /** A run that collects round 1, and the assignment of its only agent. */
  collecting(spec: RunSpec, agentId: string): Promise<Assignment>;
  /** An agent that does not run yet. */
  agent(runId: string, agentId: string): ServiceProcess;
  /** Whether a process has logged such a line. */
  hasLogged(process: ServiceProcess, msg: string): boolean;
  /** Resolves as soon as it is so, looked at after each line and each chunk. Rejects when a process ends that nobody had asked to. */
  until(isSo: () => boolean): Promise<void>;
  stop(): Promise<void>;
}

export async function startUploadWorld(
  { redis, minio }: { readonly redis: RedisServer; readonly minio: MinioServer },
  directory: string,
): Promise<UploadWorld> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = minio;
  const objectStore = createS3ObjectStore({ endpoint, region, bucket, credentials: { accessKeyId, secretAccessKey } });
  const logged = new Map<string, Set<string>>();
  const { until, look, fail } = createLookout();
  const wire = createUploadWire(objectStore, look);
  const agentsDirectory = join(directory, 'agents');
  mkdirSync(agentsDirectory, { recursive: true });
  const all: ServiceProcess[] = [];
  const ports = (await freePorts(2 * (1 + REPLICAS))).values();
  const nextPort = (): number => ports.next().value ?? 0;

  function createProcess(
    name: string,
    service: string,
    env: Readonly<Record<string, string>>,
    companions: () => readonly number[] = () => [],
  ): ServiceProcess {
    const lines = new Set<string>();
    logged.set(name, lines);
    const process = createServiceProcess({
      name,
      main: join(repository, 'services', service, 'src', 'main.ts'),
      env,
      logFile: join(directory, `${name}.log`),
      companions,
      onLine: ({ msg }: LogLine) => {
        lines.add(msg);
        look();
      },
      onEndedItself: (end) => fail(new Error(`${name} ended by itself: ${end}`)),
    });
    all.push(process);
    return process;
  }

  function createOrchestrator(name: string, role: string, grpcPort: number): ServiceProcess {
    const [redisPort, storePort] = [redis.port, minio.port];
    const env = orchestratorEnvironment({ minio, redisPort, storePort, grpcPort, statusPort: nextPort() });
    return createProcess(name, 'orchestrator', { ...env, FLEXLORA_ROLE: role });
  }

  const controlPort = nextPort();
  createOrchestrator('control', 'control', controlPort);
  const replicas: TransferReplica[] = [];
  for (let index = 0; index < REPLICAS; index += 1) {
    const port = nextPort();
    const listen = wire.listenTo(index, () => proxy);
    const proxy: FaultProxy = await openFaultProxy(port, { listen });
    replicas.push({ process: createOrchestrator(`transfer-${index + 1}`, 'transfer', port), proxy });
  }
  for (const process of all) await process.start();
  const transferTarget = `ipv4:${replicas.map(({ proxy }) => `127.0.0.1:${proxy.port}`).join(',')}`;
  const station = connectStation(controlPort, transferTarget);

  return {
    station,
    objectStore,
    replicas,
    wire,
    agentsDirectory,
    async collecting(spec, agentId) {
      const collects = new AbortController();
      await createRun(spec, [{ name: 'control', port: controlPort }], collects.signal);
      // It makes the adapter that the round begins with, and no other.
      const working = work(station, objectStore, 'aggregator', collects.signal);
      await enrol(station, spec, agentId, 1_000_000);
      const assignment = await awaitAssignment(station, spec.runId, agentId);
      collects.abort();
      await working;
      return assignment;
    },
    agent(runId, agentId) {
      const name = `agent-${runId}`;
      const trainerPidFile = join(directory, `${name}.trainer.pid`);
      const [roundsFile, journal] = [join(directory, `${name}.rounds`), join(directory, `${name}.journal`)];
      const { FLEXLORA_STATUS_PORT: _, ...env } = agentEnvironment({
        runId,
        agentId,
        control: `127.0.0.1:${controlPort}`,
        transfer: transferTarget,
        workDirectory: agentsDirectory,
        memoryBytesMax: 1_000_000,
        // Not reached: what is on disk is sent before anything else.
        trainer: { samples: 1, milliseconds: 1, journal, roundsFile },
        trainerPidFile,
        statusPort: 0,
      });
      return createProcess(name, 'client-agent', env, () => pidIn(trainerPidFile, TRAINER_MARK));
    },
    hasLogged: ({ name }, msg) => logged.get(name)?.has(msg) ?? false,
    until,
    async stop() {
      await Promise.all(all.map((process) => process.kill()));
      await station.stop();
      await Promise.all(replicas.map(({ proxy }) => proxy.close()));
      await objectStore.close();
    },
  };
}

function connectStation(controlPort: number, transferTarget: string): Station {
  const control = { target: `127.0.0.1:${controlPort}`, tls: null };
  const clients = {
    runs: connectClient(RunServiceClient, control),
    agents: connectClient(AgentServiceClient, control),
    aggregation: connectClient(AggregationServiceClient, control),
    transfer: connectClient(TransferServiceClient, { target: transferTarget, tls: null }),
  };
  return {
    ...clients,
    statusPort: 0,
    stop: async () => {
      for (const client of Object.values(clients)) client.close();
    },
  };
}

/** Waits for states: whoever changes one calls `look`. */
function createLookout() {
  const waiting = new Set<() => void>();
  let failure: Error | null = null;
  const look = (): void => {
    for (const check of waiting) check();
  };
  return {
    look,
    fail: (error: Error): void => {
      failure ??= error;
      look();
    },
    until: (isSo: () => boolean): Promise<void> =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (failure === null && !isSo()) return;
          waiting.delete(check);
          if (failure === null) resolve();
          else reject(failure);
        };
        waiting.add(check);
        check();
      }),
  };
}
