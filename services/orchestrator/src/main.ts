import { readFileSync } from 'node:fs';
import { ConfigError, createLifecycle, createLogger, stopOnSignals, systemClock } from '@flexlora/runtime';
import { createRedisRoundStore, createS3ObjectStore, type S3ObjectStoreOptions } from '@flexlora/stores';
import { type OrchestratorConfig, readOrchestratorConfig } from './config.ts';
import { DRAIN_MS, STOP_STEP_MS } from './limits.ts';
import { createOrchestrator } from './orchestrator.ts';
import { protoReflection } from './proto-reflection.ts';

/** Its steps, one after the other, at the most. */
const ORCHESTRATOR_STOP_MS = DRAIN_MS + 4 * STOP_STEP_MS;
/** A wrong configuration, by the convention of sysexits.h. */
const EXIT_CONFIG = 78;

async function main(config: OrchestratorConfig): Promise<void> {
  const logger = createLogger({ service: 'orchestrator', level: config.logLevel });
  const lifecycle = createLifecycle(logger);
  stopOnSignals(lifecycle, (code) => process.exit(code));
  try {
    const onWarning = (message: string): void => logger.warn({}, message);
    const roundStore = createRedisRoundStore({ url: config.redisUrl, onWarning });
    lifecycle.onStop('round store', STOP_STEP_MS, () => roundStore.close());
    const objectStore = createS3ObjectStore(s3Options(config));
    lifecycle.onStop('object store', STOP_STEP_MS, () => objectStore.close());
    const { role, host, port, statusPort, leaseMs, uploadStreamsMax, downloadStreamsMax } = config;
    const orchestrator = await createOrchestrator(
      { roundStore, objectStore, clock: systemClock, logger, random: Math.random },
      {
        role,
        host,
        port,
        statusPort,
        leaseMs,
        uploadStreamsMax,
        downloadStreamsMax,
        tls: readTls(config),
        reflection: config.reflection ? protoReflection(role) : null,
      },
    );
    lifecycle.onStop('orchestrator', ORCHESTRATOR_STOP_MS, () => orchestrator.stop());
    logger.info({ role, port: orchestrator.port, statusPort: orchestrator.statusPort }, 'started');
  } catch (error) {
    logger.error({ err: error }, 'the start failed');
    await lifecycle.stop('the start failed');
    process.exitCode = 1;
  }
}

function readTls({ tlsCertificateFile, tlsKeyFile, tlsClientCaFile }: OrchestratorConfig) {
  if (tlsCertificateFile === null || tlsKeyFile === null) return null;
  const pem = (file: string): string => readFileSync(file, 'utf8');
  return {
    certificate: pem(tlsCertificateFile),
    key: pem(tlsKeyFile),
    clientCa: tlsClientCaFile === null ? null : pem(tlsClientCaFile),
  };
}

function s3Options(config: OrchestratorConfig): S3ObjectStoreOptions {
  const { s3Endpoint, s3AccessKeyId, s3SecretAccessKey } = config;
  return {
    bucket: config.s3Bucket,
    region: config.s3Region,
    forcePathStyle: config.s3ForcePathStyle,
    ...(s3Endpoint === null ? {} : { endpoint: s3Endpoint }),
    ...(s3AccessKeyId === null || s3SecretAccessKey === null
      ? {}
      : { credentials: { accessKeyId: s3AccessKeyId, secretAccessKey: s3SecretAccessKey } }),
  };
}

try {
  await main(readOrchestratorConfig(process.env));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = EXIT_CONFIG;
}
