import {
  collectForBytes,
  type ProcessTools,
  runProcess,
  s3OptionsOf,
  serverTlsOf,
  systemClock,
} from '@flexlora/runtime';
import { createRedisRoundStore, createS3ObjectStore } from '@flexlora/stores';
import { type OrchestratorConfig, readOrchestratorConfig } from './config.ts';
import { DECISION_CONNECTIONS_MAX, DRAIN_MS, STOP_STEP_MS } from './limits.ts';
import { createOrchestrator } from './orchestrator.ts';
import { protoReflection } from './proto-reflection.ts';

/** Its steps, one after the other, at the most. */
const ORCHESTRATOR_STOP_MS = DRAIN_MS + 4 * STOP_STEP_MS;

async function start(config: OrchestratorConfig, { logger, lifecycle }: ProcessTools): Promise<void> {
  const tls = serverTlsOf(config);
  const onWarning = (message: string): void => logger.warn({}, message);
  const roundStore = createRedisRoundStore({ url: config.redisUrl, onWarning });
  lifecycle.onStop('round store', STOP_STEP_MS, () => roundStore.close());
  const { role, listenHost, grpcPort, statusPort, leaseMs, uploadStreamsMax, downloadStreamsMax } = config;
  // Decisions for thousands of agents have a larger heap, which is looked through a little at a time.
  if (role === 'transfer') collectForBytes();
  const connectionsMax = uploadStreamsMax + downloadStreamsMax + DECISION_CONNECTIONS_MAX;
  const objectStore = createS3ObjectStore({ ...s3OptionsOf(config), connectionsMax });
  lifecycle.onStop('object store', STOP_STEP_MS, () => objectStore.close());
  const orchestrator = await createOrchestrator(
    { roundStore, objectStore, clock: systemClock, logger, random: Math.random },
    {
      role,
      host: listenHost,
      port: grpcPort,
      statusPort,
      leaseMs,
      uploadStreamsMax,
      downloadStreamsMax,
      tls,
      reflection: config.reflection ? protoReflection(role) : null,
    },
  );
  lifecycle.onStop('orchestrator', ORCHESTRATOR_STOP_MS, () => orchestrator.stop());
  logger.info({ role, port: orchestrator.port, statusPort: orchestrator.statusPort }, 'started');
}

await runProcess(process, { service: 'orchestrator', readConfig: readOrchestratorConfig, start });
