import {
  channelOf,
  collectForBytes,
  createServiceMetrics,
  createStatusServer,
  type ProcessTools,
  runProcess,
  systemClock,
} from '@flexlora/runtime';
import { createClientAgent } from './client-agent.ts';
import { createCommandTrainer } from './command-trainer/command-trainer.ts';
import { TRAINER_LIMITS } from './command-trainer/limits.ts';
import { type ClientAgentConfig, readClientAgentConfig } from './config.ts';
import { createAgentMetrics } from './metrics.ts';

/** A call under way is broken off at once; an assignment is given back where that was asked for. */
const AGENT_STOP_MS = 10_000;
const TRAINER_STOP_MS = TRAINER_LIMITS.exitMs + 2 * TRAINER_LIMITS.termMs;
const STATUS_STOP_MS = 1_000;

async function start(config: ClientAgentConfig, { logger, lifecycle }: ProcessTools): Promise<void> {
  // The trainer has a process of its own.
  collectForBytes();
  const metrics = createServiceMetrics();
  const [command, ...args] = config.trainerCommand;
  const trainer = createCommandTrainer({ command, args, clock: systemClock, logger });
  lifecycle.onStop('trainer', TRAINER_STOP_MS, () => trainer.close());
  const agent = createClientAgent(
    { trainer, clock: systemClock, random: Math.random, logger },
    {
      runId: config.runId,
      agentId: config.agentId,
      control: channelOf(config),
      ...(config.transfer === null ? {} : { transfer: channelOf(config, config.transfer) }),
      workDirectory: config.workDirectory,
      data: config.trainerData,
      memoryBytesMax: config.memoryBytesMax,
      uplinkBytesPerSecond: config.uplinkBytesPerSecond,
      samples: config.trainerSamples,
      stepSecondsFactor: config.stepSecondsFactor,
      onStop: config.onStop,
      onEvent: createAgentMetrics(metrics.registry, systemClock),
    },
  );
  if (config.statusPort !== null) {
    const status = await createStatusServer({
      host: config.statusHost,
      port: config.statusPort,
      registry: metrics.registry,
      whyNotReady: async () => agent.whyNotReady(),
    });
    lifecycle.onStop('status server', STATUS_STOP_MS, () => status.close());
  }
  const ended = agent.run(lifecycle.signal);
  lifecycle.onStop('agent', AGENT_STOP_MS, async () => {
    await ended.catch(() => {});
  });
  await ended;
  // However the run ended, the agent has done its part: a failed run is no reason to start the agent again.
  await lifecycle.stop('the agent has ended');
}

await runProcess(process, { service: 'client-agent', readConfig: readClientAgentConfig, start });
