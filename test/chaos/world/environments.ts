import { fileURLToPath } from 'node:url';
import type { MinioServer } from '../../harness/containers/minio-server.ts';
import type { ScriptedData } from '../../harness/trainers/scripted-trainer.ts';

/** The environment of each process: all that it gets. */
export type ServiceEnvironment = Readonly<Record<string, string>>;

const LOOPBACK = '127.0.0.1';
const SCRIPTED_TRAINER = fileURLToPath(new URL('../../harness/trainers/scripted-trainer.ts', import.meta.url));
/** Part of the trainer's command line, by which its processes are known. */
export const TRAINER_MARK = 'scripted-trainer.ts';

const status = (port: number): ServiceEnvironment => ({
  FLEXLORA_STATUS_HOST: LOOPBACK,
  FLEXLORA_STATUS_PORT: String(port),
});

export const orchestratorEnvironment = (options: {
  readonly minio: MinioServer;
  readonly redisPort: number;
  readonly storePort: number;
  readonly grpcPort: number;
  readonly statusPort: number;
}): ServiceEnvironment => ({
  REDIS_URL: `redis://${LOOPBACK}:${options.redisPort}`,
  ...s3Environment(options.minio, options.storePort),
  FLEXLORA_LISTEN_HOST: LOOPBACK,
  FLEXLORA_GRPC_PORT: String(options.grpcPort),
  FLEXLORA_STATUS_PORT: String(options.statusPort),
});

/** One task and one thread at a time: every aggregator gets a share of a round, and eight agents need the processor as well. */
export const aggregatorEnvironment = (options: {
  readonly aggregatorId: string;
  readonly target: string;
  readonly minio: MinioServer;
  readonly storePort: number;
  readonly statusPort: number;
}): ServiceEnvironment => ({
  ...s3Environment(options.minio, options.storePort),
  ...status(options.statusPort),
  FLEXLORA_AGGREGATOR_ID: options.aggregatorId,
  FLEXLORA_ORCHESTRATOR: options.target,
  FLEXLORA_PARALLEL_TASKS: '1',
  FLEXLORA_KERNEL_THREADS: '1',
});

export const agentEnvironment = (options: {
  readonly runId: string;
  readonly agentId: string;
  readonly control: string;
  readonly transfer: string;
  readonly workDirectory: string;
  readonly memoryBytesMax: number;
  readonly trainer: ScriptedData;
  readonly trainerPidFile: string;
  readonly statusPort: number;
}): ServiceEnvironment => ({
  ...status(options.statusPort),
  FLEXLORA_RUN_ID: options.runId,
  FLEXLORA_AGENT_ID: options.agentId,
  FLEXLORA_ORCHESTRATOR: options.control,
  FLEXLORA_TRANSFER: options.transfer,
  FLEXLORA_TRAINER_COMMAND: JSON.stringify([process.execPath, SCRIPTED_TRAINER, options.trainerPidFile]),
  FLEXLORA_TRAINER_DATA: JSON.stringify(options.trainer),
  FLEXLORA_WORK_DIRECTORY: options.workDirectory,
  FLEXLORA_MEMORY_BYTES_MAX: String(options.memoryBytesMax),
  // What it downloads, trains and sends is told at this level alone.
  FLEXLORA_LOG_LEVEL: 'debug',
});

/** The endpoint is the proxy's own address: a signature names the host. */
const s3Environment = (minio: MinioServer, port: number): ServiceEnvironment => ({
  S3_BUCKET: minio.bucket,
  S3_REGION: minio.region,
  S3_ENDPOINT: `http://${LOOPBACK}:${port}`,
  AWS_ACCESS_KEY_ID: minio.accessKeyId,
  AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
});
