import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { loadKernel } from '@flexlora/kernel';
import {
  type ChannelOptions,
  ConfigError,
  createLifecycle,
  createLogger,
  createServiceMetrics,
  createStatusServer,
  stopOnSignals,
  systemClock,
} from '@flexlora/runtime';
import { createS3ObjectStore, type S3ObjectStoreOptions } from '@flexlora/stores';
import { createAggregator } from './aggregator.ts';
import { type AggregatorConfig, aggregatorIdOf, readAggregatorConfig } from './config.ts';
import { STOP_STEP_MS } from './limits.ts';

const ID_END_BYTES = 3;
/** A wrong configuration, by the convention of sysexits.h. */
const EXIT_CONFIG = 78;

async function main(config: AggregatorConfig): Promise<void> {
  const logger = createLogger({ service: 'aggregator', level: config.logLevel });
  const lifecycle = createLifecycle(logger);
  stopOnSignals(lifecycle, (code) => process.exit(code));
  try {
    const { kernel, notice } = loadKernel();
    if (notice !== null) logger.warn({}, notice);
    const objectStore = createS3ObjectStore(s3Options(config));
    lifecycle.onStop('object store', STOP_STEP_MS, () => objectStore.close());
    const { registry } = createServiceMetrics();
    const aggregatorId = config.aggregatorId ?? aggregatorIdOf(hostname(), randomBytes(ID_END_BYTES).toString('hex'));
    const aggregator = await createAggregator(
      { objectStore, kernel, clock: systemClock, logger, random: Math.random, registry },
      { aggregatorId, orchestrator: channel(config), parallelTasks: config.parallelTasks },
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
  } catch (error) {
    logger.error({ err: error }, 'the start failed');
    await lifecycle.stop('the start failed');
    process.exitCode = 1;
  }
}

function channel(config: AggregatorConfig): ChannelOptions {
  const pem = (file: string | null): string | null => (file === null ? null : readFileSync(file, 'utf8'));
  const { orchestrator: target, tlsCaFile, tlsCertificateFile, tlsKeyFile } = config;
  if (config.tls === 'off') return { target, tls: null };
  return { target, tls: { ca: pem(tlsCaFile), certificate: pem(tlsCertificateFile), key: pem(tlsKeyFile) } };
}

function s3Options(config: AggregatorConfig): S3ObjectStoreOptions {
  const { s3AccessKeyId: accessKeyId, s3SecretAccessKey: secretAccessKey, s3SessionToken: sessionToken } = config;
  return {
    bucket: config.s3Bucket,
    region: config.s3Region,
    ...(config.s3ForcePathStyle !== null && { forcePathStyle: config.s3ForcePathStyle }),
    ...(config.s3Endpoint !== null && { endpoint: config.s3Endpoint }),
    ...(accessKeyId !== null &&
      secretAccessKey !== null && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== null && { sessionToken }) },
      }),
  };
}

try {
  await main(readAggregatorConfig(process.env));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = EXIT_CONFIG;
}
