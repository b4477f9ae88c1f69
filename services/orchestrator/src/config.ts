import {
  type ConfigOf,
  type Environment,
  nonEmptyText,
  PORT_ALLOWED,
  portNumber,
  processSettings,
  readConfig,
  redisSettings,
  s3Rules,
  s3Settings,
  setting,
  tlsServerRules,
  tlsServerSettings,
} from '@flexlora/runtime';
import { z } from 'zod';

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');
const wholeNumber = (min: number, max: number, standard: number) =>
  z.coerce.number().int().min(min).max(max).default(standard);

const ROLES = ['control', 'transfer', 'all'] as const;
export type Role = (typeof ROLES)[number];

/** Everything that an orchestrator process reads from its environment. */
export const settings = {
  role: setting({
    env: 'FLEXLORA_ROLE',
    schema: z.enum(ROLES).default('all'),
    allowed: ROLES.join(', '),
    example: 'control',
    about:
      'Which services are served: decisions (RunService, AgentService, AggregationService), bytes (TransferService), or all.',
  }),
  listenHost: setting({
    env: 'FLEXLORA_LISTEN_HOST',
    schema: nonEmptyText.default('0.0.0.0'),
    allowed: 'an address of this machine',
    example: '0.0.0.0',
    about: 'Address that gRPC and status listen on.',
  }),
  grpcPort: setting({
    env: 'FLEXLORA_GRPC_PORT',
    schema: portNumber.default(7443),
    allowed: PORT_ALLOWED,
    example: '7443',
    about: 'Port of gRPC.',
  }),
  ...tlsServerSettings,
  ...redisSettings,
  ...s3Settings,
  leaseMs: setting({
    env: 'FLEXLORA_LEASE_MS',
    schema: wholeNumber(500, 60_000, 5_000),
    allowed: '500 to 60000',
    example: '5000',
    about: 'Loss of a replica costs each of its runs so long. Shorter asks more of Redis.',
  }),
  uploadStreamsMax: setting({
    env: 'FLEXLORA_UPLOAD_STREAMS_MAX',
    schema: wholeNumber(1, 10_000, 64),
    allowed: '1 to 10000',
    example: '64',
    about:
      'Uploads carried at once by one process; each holds at most 20 MiB: a part of 5, a receive window of 14, chunks of 1.',
  }),
  downloadStreamsMax: setting({
    env: 'FLEXLORA_DOWNLOAD_STREAMS_MAX',
    schema: wholeNumber(1, 10_000, 256),
    allowed: '1 to 10000',
    example: '256',
    about: 'Downloads carried at once by one process; each holds less than 1 MiB.',
  }),
  reflection: setting({
    env: 'FLEXLORA_REFLECTION',
    schema: flag,
    allowed: 'true, false',
    example: 'true',
    about: 'Answer gRPC server reflection, for command-line tools.',
  }),
  statusPort: processSettings.statusPort,
  logLevel: processSettings.logLevel,
};

export type OrchestratorConfig = ConfigOf<typeof settings>;

/** @throws {ConfigError} with every problem, those between settings included. */
export const readOrchestratorConfig = (env: Environment): OrchestratorConfig =>
  readConfig(settings, env, [...tlsServerRules, ...s3Rules]);
