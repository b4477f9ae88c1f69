import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureS3Bucket } from '@flexlora/stores';
import { freePorts } from '../backing/free-ports.ts';
import type { Participant } from '../federation/participants.ts';
import {
  agentEnvironment,
  aggregatorEnvironment,
  orchestratorEnvironment,
  type ServiceEnvironment,
  type Stores,
} from './service-environments.ts';
import { type ServiceProcess, startServiceProcess } from './service-process.ts';

/** Every service of one federation, each a process of its own. */
export interface Cluster {
  /** Every control service, for clients that find another when one is away. */
  readonly target: string;
  readonly processes: readonly ServiceProcess[];
  stop(): Promise<void>;
}

export interface ClusterOptions extends Stores {
  readonly runId: string;
  readonly orchestrators: number;
  readonly aggregators: number;
  readonly participants: readonly Participant[];
  /** Logs, work directories, and `processes.json` with every pid. */
  readonly directory: string;
}

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const mainOf = (service: string): string => join(repository, 'services', service, 'src', 'main.ts');
const EMBEDDED_TRAINER = join(repository, 'trainers', 'embedded', 'src', 'main.ts');

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const logs = join(options.directory, 'logs');
  await mkdir(logs, { recursive: true });
  const ports = await freePorts(options.orchestrators);
  // A list of addresses in one target: grpc-js' ipv4 resolver spreads calls over them and leaves out who is away.
  const target = `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`;
  const processes: ServiceProcess[] = [];
  const launch = async (name: string, service: string, env: ServiceEnvironment): Promise<void> => {
    processes.push(await startServiceProcess({ name, main: mainOf(service), env, logFile: join(logs, `${name}.log`) }));
  };
  // A process that exits before it has stopped them leaves none behind.
  const killAll = (): void => {
    for (const service of processes) service.kill();
  };
  process.on('exit', killAll);
  const stop = async (): Promise<void> => {
    // Agents first, so that nothing is asked of services that are gone.
    for (const group of ['agent', 'aggregator', 'orchestrator']) {
      await Promise.all(processes.filter(({ name }) => name.startsWith(group)).map((service) => service.stop()));
    }
    process.off('exit', killAll);
  };
  try {
    await ensureS3Bucket(options.s3);
    for (const [index, port] of ports.entries())
      await launch(`orchestrator-${index + 1}`, 'orchestrator', orchestratorEnvironment(options, port));
    for (let number = 1; number <= options.aggregators; number += 1) {
      const aggregatorId = `aggregator-${number}`;
      await launch(aggregatorId, 'aggregator', aggregatorEnvironment(options, { aggregatorId, target }));
    }
    const common = {
      runId: options.runId,
      target,
      trainer: [process.execPath, EMBEDDED_TRAINER],
      workDirectory: join(options.directory, 'agents'),
    };
    for (const participant of options.participants)
      await launch(`agent-${participant.language}`, 'client-agent', agentEnvironment(participant, common));
    const pids = processes.map(({ name, pid }) => ({ name, pid }));
    await writeFile(join(options.directory, 'processes.json'), `${JSON.stringify(pids, null, 2)}\n`);
    return { target, processes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
