import { ConfigError, type ConfigOf, LOG_LEVELS, readConfig, setting } from '@flexlora/runtime';
import { z } from 'zod';
import { PARALLEL_TASKS_MAX } from './limits.ts';

const text = z.string().min(1);
/** Absent is null, so that a configuration has every key. */
const optional = text.optional().transform((value) => value ?? null);

/** Everything that an aggregator process reads from its environment. */
export const settings = {
  aggregatorId: setting({
    env: 'FLEXLORA_AGGREGATOR_ID',
    schema: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/)
      .optional()
      .transform((value) => value ?? null),
    allowed: '1 to 63 of a-z, 0-9, ".", "_", "-", beginning and ending with a letter or digit',
    example: 'aggregator-0',
    about: 'Names this process in leases: unique to it. Without it, the host name and a random end.',
  }),
  orchestrator: setting({
    env: 'FLEXLORA_ORCHESTRATOR',
    schema: z.string().regex(/^\S+:\d{1,5}$/),
    allowed: 'host:port, or dns:///name:port to spread calls over every address of a name',
    example: 'dns:///orchestrator:7443',
    about: 'Where the AggregationService is.',
  }),
  parallelTasks: setting({
    env: 'FLEXLORA_PARALLEL_TASKS',
    schema: z.coerce.number().int().min(1).max(PARALLEL_TASKS_MAX).default(2),
    allowed: `1 to ${PARALLEL_TASKS_MAX}`,
    example: '2',
    about: 'Tasks at a time: one pulls while another sums. Each holds one module of all updates and its own result.',
  }),
  tls: setting({
    env: 'FLEXLORA_TLS',
    schema: z.enum(['on', 'off']).default('off'),
    allowed: 'on, off',
    example: 'on',
    about: 'Whether the orchestrator is reached by TLS.',
  }),
  tlsCaFile: setting({
    env: 'FLEXLORA_TLS_CA_FILE',
    schema: optional,
    allowed: 'a path of a PEM file; without it the authorities that Node knows',
    example: '/etc/flexlora/tls/ca.crt',
    about: 'Authority of the certificate of the orchestrator.',
  }),
  tlsCertificateFile: setting({
    env: 'FLEXLORA_TLS_CERTIFICATE_FILE',
    schema: optional,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_KEY_FILE',
    example: '/etc/flexlora/tls/tls.crt',
    about: 'Certificate that this process shows, where the orchestrator asks for one.',
  }),
  tlsKeyFile: setting({
    env: 'FLEXLORA_TLS_KEY_FILE',
    schema: optional,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_CERTIFICATE_FILE',
    example: '/etc/flexlora/tls/tls.key',
    about: 'Key of the certificate.',
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
    about: 'Secret key of the S3 service.',
    secret: true,
  }),
  s3SessionToken: setting({
    env: 'AWS_SESSION_TOKEN',
    schema: optional,
    allowed: 'a session token, together with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    example: '<secret>',
    about: 'Token of temporary keys.',
    secret: true,
  }),
  s3ForcePathStyle: setting({
    env: 'FLEXLORA_S3_FORCE_PATH_STYLE',
    schema: z
      .enum(['true', 'false'])
      .optional()
      .transform((value) => (value === undefined ? null : value === 'true')),
    allowed: 'true, false; without it true where FLEXLORA_S3_ENDPOINT is set',
    example: 'true',
    about: 'Put the bucket into the path instead of the host name: MinIO and most others need it.',
  }),
  statusHost: setting({
    env: 'FLEXLORA_STATUS_HOST',
    schema: text.default('0.0.0.0'),
    allowed: 'an address of this machine',
    example: '0.0.0.0',
    about: 'Address that status listens on.',
  }),
  statusPort: setting({
    env: 'FLEXLORA_STATUS_PORT',
    schema: z.coerce.number().int().min(0).max(65_535).default(9464),
    allowed: '0 to 65535; 0 takes a free one',
    example: '9464',
    about: 'Port of /livez, /readyz and /metrics.',
  }),
  logLevel: setting({
    env: 'FLEXLORA_LOG_LEVEL',
    schema: z.enum(LOG_LEVELS).default('info'),
    allowed: LOG_LEVELS.join(', '),
    example: 'info',
    about: 'Least severe lines that are logged.',
  }),
} as const;

export type AggregatorConfig = ConfigOf<typeof settings>;

/** @throws {ConfigError} with every problem, those between settings included. */
export function readAggregatorConfig(env: Readonly<Record<string, string | undefined>>): AggregatorConfig {
  const between = problemsBetween(env);
  try {
    const config = readConfig(settings, env);
    if (between.length === 0) return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError([...error.problems, ...between]);
  }
  throw new ConfigError(between);
}

function problemsBetween(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const problems: string[] = [];
  const isSet = ({ env: name }: { readonly env: string }): boolean => (env[name] ?? '') !== '';
  const { tls, tlsCaFile, tlsCertificateFile, tlsKeyFile, s3AccessKeyId, s3SecretAccessKey } = settings;
  const needTogether = (one: { readonly env: string }, other: { readonly env: string }): void => {
    if (isSet(one) === isSet(other)) return;
    const [missing, there] = isSet(one) ? [other, one] : [one, other];
    problems.push(`${missing.env} is not set, but ${there.env} is; allowed: both or neither`);
  };
  needTogether(tlsCertificateFile, tlsKeyFile);
  if (env[tls.env] !== 'on' && [tlsCaFile, tlsCertificateFile, tlsKeyFile].some(isSet))
    problems.push(`${tls.env} is off, but a file of TLS is set; allowed: ${tls.env}=on with it`);
  needTogether(s3AccessKeyId, s3SecretAccessKey);
  return problems;
}

/** An id from a host's name, which may have characters that ids do not have, and an end that no other process of the host has. */
export function aggregatorIdOf(hostname: string, end: string): string {
  const cut = hostname
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63 - end.length - 1);
  const host = cut.replace(/^-+|-+$/g, '') || 'aggregator';
  return `${host}-${end}`;
}
