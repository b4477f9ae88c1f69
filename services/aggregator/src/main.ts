import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { loadKernel } from '@flexlora/kernel';
import {
  channelOf,
  createServiceMetrics,
  createStatusServer,
  type ProcessTools,
  runProcess,
  s3OptionsOf,
  systemClock,
} from '@flexlora/runtime';
import { createS3ObjectStore } from '@flexlora/stores';
import { createAggregator } from './aggregator.ts';
import { type AggregatorConfig, aggregatorIdOf, readAggregatorConfig } from './config.ts';
import { STOP_STEP_MS } from './limits.ts';

const ID_END_BYTES = 3;

async function start(config: AggregatorConfig, { logger, lifecycle }: ProcessTools): Promise<void> {
  const { kernel, notice } = loadKernel({
    ...(config.kernelThreads !== null && { threads: config.kernelThreads }),
    memoryBytes: config.kernelMemoryBytes,
  });
  if (notice !== null) logger.warn({}, notice);
  const objectStore = createS3ObjectStore(s3OptionsOf(config));
  lifecycle.onStop('object store', STOP_STEP_MS, () => objectStore.close());
  const { registry } = createServiceMetrics();
  const aggregatorId = config.aggregatorId ?? aggregatorIdOf(hostname(), randomBytes(ID_END_BYTES).toString('hex'));
  const aggregator = await createAggregator(
    { objectStore, kernel, clock: systemClock, logger, random: Math.random, registry },
    { aggregatorId, orchestrator: channelOf(config), parallelTasks: config.parallelTasks },
  );
  lifecycle.onStop('aggregator', STOP_STEP_MS, () => aggregator.stop());
  const status = await createStatusServer({
    host: config.statusHost,
    port: config.statusPort,
    registry,
    whyNotReady: async () => (lifecycle.signal.aborted ? 'the process stops' : aggregator.whyNotReady()),
  });
  lifecycle.onStop('status server', STOP_STEP_MS, () => status.close());
  logger.info(
    { aggregatorId, orchestrator: config.orchestrator, kernel: kernel.name, statusPort: status.port },
    'started',
  );
}

await runProcess(process, { service: 'aggregator', readConfig: readAggregatorConfig, start });
