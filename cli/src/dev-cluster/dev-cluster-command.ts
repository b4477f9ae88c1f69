import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Fault } from '@flexlora/core';
import { createEmbeddedTrainer } from '@flexlora/embedded-trainer';
import { createLogger, systemClock } from '@flexlora/runtime';
import { readStores } from '../federation/config.ts';
import { federationCommand } from '../federation/federation-command.ts';
import { createLiveView } from '../federation/live-view.ts';
import { PARTICIPANTS } from '../federation/participants.ts';
import type { FederationReport } from '../federation/report.ts';
import { runDemo } from '../federation/run-demo.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { DEV_CLUSTER_HELP, type DevClusterOptions, parseDevClusterOptions } from './options.ts';

/** `flexlora dev-cluster`: the same federation as `flexlora start`, with every service a process of its own. */
export const devClusterCommand = federationCommand({
  name: 'dev-cluster',
  help: DEV_CLUSTER_HELP,
  parse: parseDevClusterOptions,
  federate,
});

async function federate(options: DevClusterOptions, interrupted: AbortSignal): Promise<FederationReport> {
  const startedAt = performance.now();
  const { redisUrl, s3 } = readStores();
  const runId = `dev-${Date.now().toString(36)}`;
  const directory = resolve('out', runId);
  await mkdir(directory, { recursive: true });
  const view = createLiveView(process.stderr);
  view.note(`logs and pids: ${directory}`);
  const trainer = createEmbeddedTrainer({ threads: 1 });
  const participants = PARTICIPANTS.slice(0, options.agents);
  try {
    const cluster = await startCluster({ ...options, runId, redisUrl, s3, participants, directory });
    try {
      for (const { name, pid } of cluster.processes) view.note(`${name} is process ${pid}`);
      return await runDemo(
        {
          trainer,
          logger: createLogger({ service: 'flexlora', level: 'error' }),
          clock: systemClock,
          random: Math.random,
        },
        {
          runId,
          orchestrator: { target: cluster.target, tls: null },
          participants,
          rounds: options.rounds,
          seed: options.seed,
          updateFormat: 'as-trained',
          adapterDir: join(directory, 'adapter'),
          work: join(directory, 'work'),
          kernel: 'the aggregators\u2019',
          view,
          startedAt,
          signal: interrupted,
          alongside: allGone(cluster),
        },
      );
    } finally {
      await cluster.stop();
    }
  } finally {
    view.close();
    await trainer.close();
  }
}

/**
 * Fails when no orchestrator, no aggregator or no agent is left: the run could not end any more.
 *
 * @throws {Fault}
 */
async function allGone({ processes }: Cluster): Promise<never> {
  const groups = ['orchestrator', 'aggregator', 'agent'].map(async (name) => {
    const services = processes.filter((service) => service.name.startsWith(name));
    const codes = await Promise.all(services.map(({ exited }) => exited));
    // Agents end with the run: that is no loss.
    return name === 'agent' && codes.every((code) => code === 0)
      ? await new Promise<never>(() => {})
      : services.map((service, index) => `${service.name} ended (${endOf(codes[index])}): see ${service.logFile}`);
  });
  throw new Fault(`the run cannot go on: ${(await Promise.race(groups)).join('; ')}`);
}

const endOf = (code: number | null | undefined): string => (code == null ? 'by a signal' : `exit code ${code}`);
