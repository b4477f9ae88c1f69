import { ConfigError, type ConfigOf, LOG_LEVELS, readConfig, setting } from '@flexlora/runtime';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);
const text = z.string().min(1);
const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');
const wholeNumber = (min: number, max: number, standard: number) =>
  z.coerce.number().int().min(min).max(max).default(standard);
/** Absent is null, so that a configuration has every key. */
const optional = text.optional().transform((value) => value ?? null);

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
  host: setting({
    env: 'FLEXLORA_HOST',
    schema: text.default('0.0.0.0'),
    allowed: 'an address of this machine',
    example: '0.0.0.0',
    about: 'Address that gRPC and status listen on.',
  }),
  port: setting({
    env: 'FLEXLORA_PORT',
    schema: port.default(7443),
    allowed: '0 to 65535; 0 takes a free one',
    example: '7443',
    about: 'Port of gRPC.',
  }),
  statusPort: setting({
    env: 'FLEXLORA_STATUS_PORT',
    schema: port.default(9464),
    allowed: '0 to 65535; 0 takes a free one',
    example: '9464',
    about: 'Port of /livez, /readyz and /metrics.',
  }),
  tlsCertificateFile: setting({
    env: 'FLEXLORA_TLS_CERTIFICATE_FILE',
    schema: optional,
    allowed: 'a path of a PEM file; without it gRPC speaks plain text',
    example: '/etc/flexlora/tls/tls.crt',
    about: 'Certificate of the gRPC server.',
  }),
  tlsKeyFile: setting({
    env: 'FLEXLORA_TLS_KEY_FILE',
    schema: optional,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_CERTIFICATE_FILE',
    example: '/etc/flexlora/tls/tls.key',
    about: 'Key of the certificate.',
  }),
  tlsClientCaFile: setting({
    env: 'FLEXLORA_TLS_CLIENT_CA_FILE',
    schema: optional,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_CERTIFICATE_FILE',
    example: '/etc/flexlora/tls/ca.crt',
    about: 'When set, only clients with a certificate of this authority are served.',
  }),
  redisUrl: setting({
    env: 'FLEXLORA_REDIS_URL',
    schema: z.string().regex(/^rediss?:\/\/.+/),
    allowed: 'a redis:// or rediss:// URL',
    example: 'redis://redis:6379/0',
    secret: true,
    about: 'Redis 7 or Valkey with appendonly yes and noeviction: the state of rounds.',
  }),
  s3Bucket: setting({
    env: 'FLEXLORA_S3_BUCKET',
    schema: text,
    allowed: 'the name of a bucket that exists',
    example: 'flexlora',
    about: 'Bucket of updates and adapters.',
  }),
  s3Endpoint: setting({
    env: 'FLEXLORA_S3_ENDPOINT',
    schema: z
      .string()
      .regex(/^https?:\/\/.+/)
      .optional()
      .transform((value) => value ?? null),
    allowed: 'an http:// or https:// URL; without it AWS of the region',
    example: 'http://minio:9000',
    about: 'Where the S3 service is.',
  }),
  s3Region: setting({
    env: 'FLEXLORA_S3_REGION',
    schema: text.default('us-east-1'),
    allowed: 'a region of the S3 service',
    example: 'eu-central-1',
    about: 'Region of the bucket.',
  }),
  s3AccessKeyId: setting({
    env: 'AWS_ACCESS_KEY_ID',
    schema: optional,
    allowed: 'an access key; without it the credentials of the machine',
    example: 'flexlora',
    about: 'Access key of the S3 service.',
  }),
  s3SecretAccessKey: setting({
    env: 'AWS_SECRET_ACCESS_KEY',
    schema: optional,
    allowed: 'a secret key, together with AWS_ACCESS_KEY_ID',
    example: '<secret>',
    secret: true,
    about: 'Secret key of the S3 service.',
  }),
  s3ForcePathStyle: setting({
    env: 'FLEXLORA_S3_FORCE_PATH_STYLE',
    schema: flag,
    allowed: 'true, false',
    example: 'true',
    about: 'Put the bucket into the path instead of the host name: MinIO and most others need it.',
  }),
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
    about: 'Uploads carried at once by one process; each holds 8 MiB.',
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
  logLevel: setting({
    env: 'FLEXLORA_LOG_LEVEL',
    schema: z.enum(LOG_LEVELS).default('info'),
    allowed: LOG_LEVELS.join(', '),
    example: 'info',
    about: 'Least severe lines that are logged.',
  }),
} as const;

export type OrchestratorConfig = ConfigOf<typeof settings>;

/** @throws {ConfigError} with every problem, those between settings included. */
export function readOrchestratorConfig(env: Readonly<Record<string, string | undefined>>): OrchestratorConfig {
  const between = NEEDS.flatMap(([one, other]) =>
    env[one] && !env[other] ? [`${other} is not set, but ${one} is; allowed: both, or not ${one}`] : [],
  );
  try {
    const config = readConfig(settings, env);
    if (between.length === 0) return config;
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError([...error.problems, ...between]);
    throw error;
  }
  throw new ConfigError(between);
}

/** The first would be ignored without the second. */
const NEEDS = [
  [settings.tlsCertificateFile.env, settings.tlsKeyFile.env],
  [settings.tlsKeyFile.env, settings.tlsCertificateFile.env],
  [settings.tlsClientCaFile.env, settings.tlsCertificateFile.env],
  [settings.s3AccessKeyId.env, settings.s3SecretAccessKey.env],
  [settings.s3SecretAccessKey.env, settings.s3AccessKeyId.env],
] as const;
