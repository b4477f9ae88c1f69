import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { callUnary, connectClient, failureOf } from '@flexlora/runtime';
import { type MinioServer, startMinio } from '../../harness/containers/minio-server.ts';
import { type RedisServer, startRedis } from '../../harness/containers/redis-server.ts';
import { pidIn } from '../../harness/processes/process-group.ts';
import { createServiceProcess, type ServiceProcess } from '../../harness/processes/service-process.ts';
import type { TrainingLine } from '../../harness/trainers/scripted-trainer.ts';
import { AGENTS, memoryOfAgent } from './chaos-run-spec.ts';
import {
  agentEnvironment,
  aggregatorEnvironment,
  orchestratorEnvironment,
  type ServiceEnvironment,
  TRAINER_MARK,
} from './environments.ts';
import { freePorts } from './free-ports.ts';
import { createLinks, type Links } from './links.ts';
import { createRunWatch, type RunWatch } from './run-watch.ts';
import { answerAsFull, mountStoreDisk, type StoreDisk } from './store-disk.ts';

export const ORCHESTRATORS = 2;
export const AGGREGATORS = 3;
const TRAINING_MS = 600;
/** A service that ends by itself is started again, as a supervisor does. */
const SUPERVISOR_MS = 500;
/** Updates and adapters of one round, half of them again for what faults leave behind. */
const ROUND_BYTES = 64 << 20;
/** Rounds that the store's disk has room for beyond those of the run. */
const ROUNDS_SPARE = 4;

/** The whole platform as processes, with a run in it. */
export interface World {
  readonly directory: string;
  readonly redis: RedisServer;
  readonly minio: MinioServer;
  readonly disk: StoreDisk;
  readonly orchestrators: readonly Service[];
  readonly aggregators: readonly Service[];
  readonly agents: readonly Service[];
  readonly links: Links;
  readonly watch: RunWatch;
  /** Services that ended and nobody here had asked them to, in sentences. */
  readonly endings: readonly { readonly service: string; readonly atMs: number; readonly end: string }[];
  /** Trainings of rounds up to this one may end; others wait. What was let through once stays so. */
  letThrough(round: number): void;
  trainings(agentId: string): readonly TrainingLine[];
  /** Why it is not whole, in a sentence; null when every process says that it is ready. */
  whyNotWhole(): Promise<string | null>;
  stop(): Promise<void>;
}

export interface Service extends ServiceProcess {
  readonly statusPort: number;
}

/** There is no Redis or no MinIO; says why. */
export class NoStores extends Error {
  override readonly name = 'NoStores';
}

const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** @throws {NoStores} */
export async function startWorld(
  options: { readonly directory: string; readonly spec: RunSpec },
  signal: AbortSignal,
): Promise<World> {
  const { directory, spec } = options;
  const closing: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    isStopping = true;
    for (const close of closing.splice(0).reverse()) await close();
  };
  let isStopping = false;
  try {
    return await build();
  } catch (error) {
    await stop();
    throw error;
  }

  async function build(): Promise<World> {
    for (const folder of ['logs', 'agents', 'trainers']) mkdirSync(join(directory, folder), { recursive: true });
    const redis = await startRedis({ use: 'own' });
    if ('skip' in redis) throw new NoStores(redis.skip);
    closing.push(() => redis.stop());
    const mounted = await mountStoreDisk(join(directory, 'store'), (spec.rounds + ROUNDS_SPARE) * ROUND_BYTES);
    if (mounted !== null) closing.push(() => mounted.unmount());
    const minio = await startMinio({ use: 'own', ...(mounted === null ? {} : { directory: mounted.directory }) });
    if ('skip' in minio) throw new NoStores(minio.skip);
    closing.push(() => minio.stop());
    const answered = mounted === null ? await answerAsFull(minio.port) : null;
    if (answered !== null) closing.push(() => answered.proxy.close());
    const disk = mounted ?? answered;
    if (disk === null) throw new Error('a store has a disk or an answer');

    const links = createLinks();
    closing.push(() => links.close());
    const ports = await freePorts(2 * ORCHESTRATORS + AGGREGATORS + AGENTS);
    const nextPort = (): number => ports[used++] ?? 0;
    let used = 0;
    const endings: { service: string; atMs: number; end: string }[] = [];

    const launch = (
      name: string,
      service: string,
      statusPort: number,
      env: ServiceEnvironment,
      companions?: () => readonly number[],
    ): Service => {
      const main = join(repository, 'services', service, 'src', 'main.ts');
      const process = createServiceProcess({
        name,
        main,
        env,
        logFile: join(directory, 'logs', `${name}.log`),
        ...(companions === undefined ? {} : { companions }),
        onLine: (line) => watch.hear(name, line),
        onEndedItself: (end) => {
          watch.forget(name);
          if (isStopping || (watch.heardTheEnd(name) && end === 'exit code 0')) return;
          endings.push({ service: name, atMs: Date.now(), end });
          setTimeout(() => {
            if (!isStopping && process.pid() === null) void process.start();
          }, SUPERVISOR_MS);
        },
      });
      closing.push(() => process.kill());
      return { ...process, statusPort };
    };

    const storePort = answered?.proxy.port ?? minio.port;
    const doors = Array.from({ length: ORCHESTRATORS }, (_, index) => ({
      name: `orchestrator-${index + 1}`,
      port: nextPort(),
    }));
    const watch = createRunWatch({ runId: spec.runId, orchestrators: doors }, signal);
    closing.push(() => watch.close());

    const orchestrators: Service[] = [];
    for (const { name, port } of doors) {
      await links.open('redisLink', name, 'redis', redis.port);
      await links.open('orchestratorStoreLink', name, 'minio', storePort);
      const statusPort = nextPort();
      const env = orchestratorEnvironment({
        minio,
        redisPort: links.port(name, 'redisLink'),
        storePort: links.port(name, 'orchestratorStoreLink'),
        grpcPort: port,
        statusPort,
      });
      orchestrators.push(launch(name, 'orchestrator', statusPort, env));
    }

    const aggregators: Service[] = [];
    for (let number = 1; number <= AGGREGATORS; number += 1) {
      const name = `aggregator-${number}`;
      for (const door of doors) await links.open('aggregatorLink', name, door.name, door.port);
      await links.open('aggregatorStoreLink', name, 'minio', storePort);
      const statusPort = nextPort();
      const env = aggregatorEnvironment({
        aggregatorId: name,
        target: links.target(name, 'aggregatorLink'),
        minio,
        storePort: links.port(name, 'aggregatorStoreLink'),
        statusPort,
      });
      aggregators.push(launch(name, 'aggregator', statusPort, env));
    }

    const roundsFile = join(directory, 'rounds');
    let letThroughRound = 0;
    writeFileSync(roundsFile, '0');
    const journalOf = (agentId: string): string => join(directory, 'trainers', `${agentId}.jsonl`);
    const agents: Service[] = [];
    for (let index = 0; index < AGENTS; index += 1) {
      const name = `agent-${index + 1}`;
      for (const door of doors) {
        await links.open('agentLink', name, door.name, door.port);
        await links.open('agentTransferLink', name, door.name, door.port);
      }
      const trainerPidFile = join(directory, 'trainers', `${name}.pid`);
      const statusPort = nextPort();
      const env = agentEnvironment({
        runId: spec.runId,
        agentId: name,
        control: links.target(name, 'agentLink'),
        transfer: links.target(name, 'agentTransferLink'),
        workDirectory: join(directory, 'agents'),
        memoryBytesMax: memoryOfAgent(index),
        trainer: { samples: 100 + 10 * index, milliseconds: TRAINING_MS, journal: journalOf(name), roundsFile },
        trainerPidFile,
        statusPort,
      });
      agents.push(launch(name, 'client-agent', statusPort, env, () => pidIn(trainerPidFile, TRAINER_MARK)));
    }

    for (const service of [...orchestrators, ...aggregators]) await service.start();
    await createRun(spec, doors, signal);
    for (const agent of agents) await agent.start();

    return {
      directory,
      redis,
      minio,
      disk,
      orchestrators,
      aggregators,
      agents,
      links,
      watch,
      endings,
      letThrough: (round) => {
        if (round <= letThroughRound) return;
        letThroughRound = round;
        writeFileSync(roundsFile, String(Math.min(round, Number.MAX_SAFE_INTEGER)));
      },
      trainings: (agentId) => trainingsIn(journalOf(agentId)),
      whyNotWhole: () => whyNotWhole([...orchestrators, ...aggregators, ...agents], doors, watch),
      stop,
    };
  }
}

const CREATE_TRIES = 100;
const CREATE_WAIT_MS = 200;

async function createRun(
  spec: RunSpec,
  doors: readonly { readonly port: number }[],
  signal: AbortSignal,
): Promise<void> {
  const target = `ipv4:${doors.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  const client = connectClient(RunServiceClient, { target, tls: null });
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        await callUnary(client, client.createRun, { spec }, { deadlineMs: 10_000, signal });
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (tries === CREATE_TRIES || failureOf(error).kind !== 'unavailable')
          throw new Error('the run could not be created', { cause: error });
        await sleep(CREATE_WAIT_MS);
      }
    }
  } finally {
    client.close();
  }
}

function trainingsIn(journal: string): readonly TrainingLine[] {
  try {
    // A line that a killed trainer began is left out.
    return readFileSync(journal, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as TrainingLine);
  } catch {
    return [];
  }
}

const READY_MS_MAX = 2_000;

async function whyNotWhole(
  services: readonly Service[],
  doors: readonly { readonly name: string }[],
  watch: RunWatch,
): Promise<string | null> {
  const reasons = await Promise.all(
    services.map(async ({ name, statusPort, pid }) => {
      // An agent whose run has ended has ended too.
      if (pid() === null) return watch.heardTheEnd(name) ? null : `${name} does not run`;
      try {
        const answer = await fetch(`http://127.0.0.1:${statusPort}/readyz`, {
          signal: AbortSignal.timeout(READY_MS_MAX),
        });
        return answer.ok ? null : `${name} is not ready: ${(await answer.text()).trim()}`;
      } catch {
        return `${name} does not answer`;
      }
    }),
  );
  const answering = await watch.answering();
  const silent = doors
    .filter(({ name }) => !answering.includes(name))
    .map(({ name }) => `${name} does not know the run`);
  if (watch.leaseHolder() === null && !watch.isSettled()) silent.push('nobody holds the run');
  const wrong = [...reasons.filter((reason) => reason !== null), ...silent];
  return wrong.length === 0 ? null : wrong.join('; ');
}
