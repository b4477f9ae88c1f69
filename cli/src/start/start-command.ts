import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { createEmbeddedTrainer } from '@flexlora/embedded-trainer';
import { loadKernel } from '@flexlora/kernel';
import { createLogger, systemClock } from '@flexlora/runtime';
import { readS3 } from '../federation/config.ts';
import { federationCommand } from '../federation/federation-command.ts';
import { createLiveView } from '../federation/live-view.ts';
import { runLocalAgents } from '../federation/local-agents.ts';
import { PARTICIPANTS } from '../federation/participants.ts';
import { createPlatform } from '../federation/platform.ts';
import type { FederationReport } from '../federation/report.ts';
import { runDemo } from '../federation/run-demo.ts';
import { parseStartOptions, START_HELP, type StartOptions } from './options.ts';

const AGGREGATORS = 2;

/** `flexlora start`: the whole platform and a federation on it, in this process. */
export const startCommand = federationCommand({ name: 'start', help: START_HELP, parse: parseStartOptions, federate });

async function federate(options: StartOptions, interrupted: AbortSignal): Promise<FederationReport> {
  const startedAt = performance.now();
  const s3 = options.s3 === null ? null : readS3(options.s3);
  const runId = `start-${Date.now().toString(36)}`;
  const directory = options.out ?? resolve('out', runId);
  const work = join(directory, 'work');
  await mkdir(work, { recursive: true });
  const view = createLiveView(process.stderr);
  const { kernel, notice } = loadKernel();
  if (notice !== null) view.note(notice);
  const trainer = createEmbeddedTrainer({ threads: Math.max(2, availableParallelism()) });
  const logger = createLogger({ service: 'flexlora', level: 'error' });
  const deps = { kernel, trainer, logger, clock: systemClock, random: Math.random };
  // Ends the agents when the run fails, and everything when the user asks.
  const ended = new AbortController();
  const signal = AbortSignal.any([interrupted, ended.signal]);
  const participants = PARTICIPANTS.slice(0, options.agents);
  try {
    const platform = await createPlatform(deps, {
      redisUrl: options.redis,
      s3,
      directory: work,
      aggregators: AGGREGATORS,
    });
    const orchestrator = { target: platform.target, tls: null };
    const agents = runLocalAgents(deps, { runId, orchestrator, participants, directory: join(work, 'agents'), signal });
    try {
      return await runDemo(deps, {
        runId,
        orchestrator,
        participants,
        rounds: options.rounds,
        seed: options.seed,
        updateFormat: options.updateFormat,
        adapterDir: join(directory, 'adapter'),
        work,
        kernel: kernel.name,
        view,
        startedAt,
        signal,
        alongside: agents,
      });
    } finally {
      ended.abort(new Error('the federation ended'));
      // A failure of theirs has ended the demonstration, and is told by it.
      await agents.catch(() => {});
      await platform.stop();
    }
  } finally {
    view.close();
    await trainer.close();
  }
}
