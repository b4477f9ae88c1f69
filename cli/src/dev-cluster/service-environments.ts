import type { S3Options } from '@flexlora/runtime';
import type { Participant } from '../federation/participants.ts';

/** The environment of each process of the cluster: all that it gets. */
export type ServiceEnvironment = Readonly<Record<string, string>>;

/** On loopback, at any free port: several clusters may run on one machine. */
const LOOPBACK = '127.0.0.1';
/** Loopback carries more; the deadline must not decide the ranks of the demonstration. */
const UPLINK_BYTES_PER_SECOND = '50000000';

export interface Stores {
  readonly redisUrl: string;
  readonly s3: S3Options;
}

export function orchestratorEnvironment({ redisUrl, s3 }: Stores, grpcPort: number): ServiceEnvironment {
  return {
    REDIS_URL: redisUrl,
    ...s3Environment(s3),
    FLEXLORA_LISTEN_HOST: LOOPBACK,
    FLEXLORA_GRPC_PORT: String(grpcPort),
    FLEXLORA_STATUS_PORT: '0',
  };
}

export function aggregatorEnvironment(
  { s3 }: Stores,
  options: { readonly aggregatorId: string; readonly target: string },
): ServiceEnvironment {
  return {
    ...s3Environment(s3),
    FLEXLORA_AGGREGATOR_ID: options.aggregatorId,
    FLEXLORA_ORCHESTRATOR: options.target,
    FLEXLORA_STATUS_HOST: LOOPBACK,
    FLEXLORA_STATUS_PORT: '0',
  };
}

export function agentEnvironment(
  { agentId, language, memoryBytesMax }: Participant,
  options: {
    readonly runId: string;
    readonly target: string;
    readonly trainer: readonly string[];
    readonly workDirectory: string;
  },
): ServiceEnvironment {
  return {
    FLEXLORA_RUN_ID: options.runId,
    FLEXLORA_AGENT_ID: agentId,
    FLEXLORA_ORCHESTRATOR: options.target,
    FLEXLORA_TRAINER_COMMAND: JSON.stringify(options.trainer),
    FLEXLORA_TRAINER_DATA: JSON.stringify({ corpus: 'typescript-diagnostics', languages: [language], split: 'train' }),
    FLEXLORA_WORK_DIRECTORY: options.workDirectory,
    FLEXLORA_MEMORY_BYTES_MAX: String(memoryBytesMax),
    FLEXLORA_UPLINK_BYTES_PER_SECOND: UPLINK_BYTES_PER_SECOND,
    FLEXLORA_STATUS_HOST: LOOPBACK,
    FLEXLORA_STATUS_PORT: '0',
  };
}

function s3Environment({ bucket, region, endpoint, forcePathStyle, credentials }: S3Options): ServiceEnvironment {
  return {
    S3_BUCKET: bucket,
    S3_REGION: region,
    ...(endpoint !== undefined && { S3_ENDPOINT: endpoint }),
    ...(forcePathStyle !== undefined && { S3_PATH_STYLE: String(forcePathStyle) }),
    ...(credentials !== undefined && {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      ...(credentials.sessionToken !== undefined && { AWS_SESSION_TOKEN: credentials.sessionToken }),
    }),
  };
}
