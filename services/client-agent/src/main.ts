import { readFileSync } from 'node:fs';
import {
  type ChannelOptions,
  ConfigError,
  createLifecycle,
  createLogger,
  createServiceMetrics,
  createStatusServer,
  type Lifecycle,
  type Logger,
  stopOnSignals,
  systemClock,
} from '@flexlora/runtime';
import { type AgentOutcome, createClientAgent } from './client-agent.ts';
import { createCommandTrainer } from './command-trainer/command-trainer.ts';
import { TRAINER_LIMITS } from './command-trainer/limits.ts';
import { type ClientAgentConfig, readClientAgentConfig } from './config.ts';
import { createAgentMetrics } from './metrics.ts';

/** A call under way is broken off at once; an assignment is given back. */
const AGENT_STOP_MS = 10_000;
const TRAINER_STOP_MS = TRAINER_LIMITS.exitMs + 2 * TRAINER_LIMITS.termMs;
const STATUS_STOP_MS = 1_000;
/** A wrong configuration, by the convention of sysexits.h. */
const EXIT_CONFIG = 78;

async function main(config: ClientAgentConfig): Promise<AgentOutcome> {
  const logger = createLogger({ service: 'client-agent', level: config.logLevel });
  const lifecycle = createLifecycle(logger);
  stopOnSignals(lifecycle, (code) => process.exit(code));
  try {
    return await runAgent(config, lifecycle, logger);
  } finally {
    await lifecycle.stop('the agent has ended');
  }
}

async function runAgent(config: ClientAgentConfig, lifecycle: Lifecycle, logger: Logger): Promise<AgentOutcome> {
  const metrics = createServiceMetrics();
  const [command, ...args] = config.trainerCommand;
  const trainer = createCommandTrainer({ command, args, clock: systemClock, logger });
  const tls = readTls(config);
  const channel = (target: string): ChannelOptions => ({ target, tls });
  const agent = createClientAgent(
    { trainer, clock: systemClock, random: Math.random, logger },
    {
      runId: config.runId,
      agentId: config.agentId,
      control: channel(config.orchestrator),
      ...(config.transfer === null ? {} : { transfer: channel(config.transfer) }),
      workDirectory: config.workDirectory,
      data: config.trainerData,
      memoryBytesMax: config.memoryBytesMax,
      uplinkBytesPerSecond: config.uplinkBytesPerSecond,
      samples: config.trainerSamples,
      stepSecondsFactor: config.stepSecondsFactor,
      onEvent: createAgentMetrics(metrics.registry),
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
  lifecycle.onStop('trainer', TRAINER_STOP_MS, () => trainer.close());
  const ended = agent.run(lifecycle.signal);
  lifecycle.onStop('agent', AGENT_STOP_MS, async () => {
    await ended.catch(() => {});
  });
  return ended;
}

function readTls(config: ClientAgentConfig): ChannelOptions['tls'] {
  if (config.tls === 'off') return null;
  const read = (path: string | null): string | null => {
    if (path === null) return null;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new ConfigError([`a file of FLEXLORA_TLS_… cannot be read: ${String(error)}; allowed: a PEM file`]);
    }
  };
  return { ca: read(config.tlsCaFile), certificate: read(config.tlsCertificateFile), key: read(config.tlsKeyFile) };
}

try {
  // However the run ended, the agent has done its part: a failed run is no reason to start the agent again.
  await main(readClientAgentConfig(process.env));
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
}
