import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RECEIPTS_FILE } from '@flexlora/client-agent';
import { freePorts } from '../../../cli/src/backing/free-ports.ts';
import { pidIn } from '../../harness/processes/process-group.ts';
import { createServiceProcess, type LogLine, type ServiceProcess } from '../../harness/processes/service-process.ts';
import { AGENTS, memoryOfAgent } from './chaos-run-spec.ts';
import {
  agentEnvironment,
  aggregatorEnvironment,
  orchestratorEnvironment,
  type ServiceEnvironment,
  TRAINER_MARK,
} from './environments.ts';
import type { Links } from './links.ts';
import type { Stores } from './stores.ts';

export const ORCHESTRATORS = 2;
export const AGGREGATORS = 3;
/** Long enough to be hit. */
const TRAINING_MS = 600;

export interface Service extends ServiceProcess {
  readonly statusPort: number;
}

/** Where an orchestrator listens; clients reach it over links. */
export interface Door {
  readonly name: string;
  readonly port: number;
}

/** Every service, each a process of its own, all links between them proxied. None runs yet. */
export interface Fleet {
  readonly doors: readonly Door[];
  readonly orchestrators: readonly Service[];
  readonly aggregators: readonly Service[];
  readonly agents: readonly Service[];
  /** Where the scripted trainer of an agent tells of its trainings. */
  journalOf(agentId: string): string;
  /** Where an agent keeps what it was told of its updates. */
  receiptsOf(agentId: string): string;
  /** Where trainers read which rounds are let through. */
  readonly roundsFile: string;
}

export interface FleetOptions {
  readonly directory: string;
  readonly runId: string;
  readonly stores: Stores;
  readonly links: Links;
  readonly onLine: (name: string, line: LogLine) => void;
  readonly onEndedItself: (service: ServiceProcess, end: string) => void;
}

const repository = fileURLToPath(new URL('../../..', import.meta.url));

export async function createFleet(options: FleetOptions): Promise<Fleet> {
  const { directory } = options;
  for (const folder of ['logs', 'agents', 'trainers']) mkdirSync(join(directory, folder), { recursive: true });
  const roundsFile = join(directory, 'rounds');
  writeFileSync(roundsFile, '0');
  const [doorPorts, statusPorts] = split(await freePorts(2 * ORCHESTRATORS + AGGREGATORS + AGENTS), ORCHESTRATORS);
  const doors = doorPorts.map((port, index) => ({ name: `orchestrator-${index + 1}`, port }));
  const ports = statusPorts.values();
  const nextPort = (): number => ports.next().value ?? 0;
  const shared = { ...options, doors, roundsFile, journalOf };

  function journalOf(agentId: string): string {
    return join(directory, 'trainers', `${agentId}.jsonl`);
  }
  const orchestrators: Service[] = [];
  for (const door of doors) orchestrators.push(await addOrchestrator(shared, door, nextPort()));
  const aggregators: Service[] = [];
  for (let index = 0; index < AGGREGATORS; index += 1) aggregators.push(await addAggregator(shared, index, nextPort()));
  const agents: Service[] = [];
  for (let index = 0; index < AGENTS; index += 1) agents.push(await addAgent(shared, index, nextPort()));
  const receiptsOf = (agentId: string): string => join(directory, 'agents', options.runId, agentId, RECEIPTS_FILE);
  return { doors, orchestrators, aggregators, agents, journalOf, receiptsOf, roundsFile };
}

const split = <Item>(items: readonly Item[], at: number): readonly [readonly Item[], readonly Item[]] => [
  items.slice(0, at),
  items.slice(at),
];

type Shared = FleetOptions & Pick<Fleet, 'doors' | 'roundsFile' | 'journalOf'>;

async function addOrchestrator(shared: Shared, { name, port }: Door, statusPort: number): Promise<Service> {
  const { stores, links } = shared;
  await links.open('redisLink', name, 'redis', stores.redis.port);
  await links.open('orchestratorStoreLink', name, 'minio', stores.storePort);
  const env = orchestratorEnvironment({
    minio: stores.minio,
    redisPort: links.port(name, 'redisLink'),
    storePort: links.port(name, 'orchestratorStoreLink'),
    grpcPort: port,
    statusPort,
  });
  return createService(shared, { name, service: 'orchestrator', statusPort, env });
}

async function addAggregator(shared: Shared, index: number, statusPort: number): Promise<Service> {
  const { stores, links, doors } = shared;
  const name = `aggregator-${index + 1}`;
  for (const door of doors) await links.open('aggregatorLink', name, door.name, door.port);
  await links.open('aggregatorStoreLink', name, 'minio', stores.storePort);
  const env = aggregatorEnvironment({
    aggregatorId: name,
    target: links.target(name, 'aggregatorLink'),
    minio: stores.minio,
    storePort: links.port(name, 'aggregatorStoreLink'),
    statusPort,
  });
  return createService(shared, { name, service: 'aggregator', statusPort, env });
}

async function addAgent(shared: Shared, index: number, statusPort: number): Promise<Service> {
  const { directory, links, doors } = shared;
  const name = `agent-${index + 1}`;
  for (const door of doors) {
    await links.open('agentLink', name, door.name, door.port);
    await links.open('agentTransferLink', name, door.name, door.port);
  }
  const trainerPidFile = join(directory, 'trainers', `${name}.pid`);
  const env = agentEnvironment({
    runId: shared.runId,
    agentId: name,
    control: links.target(name, 'agentLink'),
    transfer: links.target(name, 'agentTransferLink'),
    workDirectory: join(directory, 'agents'),
    memoryBytesMax: memoryOfAgent(index),
    trainer: {
      samples: 100 + 10 * index,
      milliseconds: TRAINING_MS,
      journal: shared.journalOf(name),
      roundsFile: shared.roundsFile,
    },
    trainerPidFile,
    statusPort,
  });
  const companions = (): readonly number[] => pidIn(trainerPidFile, TRAINER_MARK);
  return createService(shared, { name, service: 'client-agent', statusPort, env, companions });
}

function createService(
  { directory, onLine, onEndedItself }: Shared,
  options: {
    readonly name: string;
    readonly service: string;
    readonly statusPort: number;
    readonly env: ServiceEnvironment;
    readonly companions?: () => readonly number[];
  },
): Service {
  const { name, service, statusPort, ...more } = options;
  const process = createServiceProcess({
    ...more,
    name,
    main: join(repository, 'services', service, 'src', 'main.ts'),
    logFile: join(directory, 'logs', `${name}.log`),
    onLine: (line) => onLine(name, line),
    onEndedItself: (end) => onEndedItself(process, end),
  });
  return { ...process, statusPort };
}
