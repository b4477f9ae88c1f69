import { z } from 'zod';
import { type ConfigOf, needs, type SettingRule, setting, together } from './config.ts';
import { absentAsNull, httpUrl, nonEmptyText, optionalText } from './setting-schemas.ts';

/** Where the state of rounds is. */
export const redisSettings = {
  redisUrl: setting({
    env: 'REDIS_URL',
    schema: z.string().regex(/^rediss?:\/\/.+/),
    allowed: 'a redis:// or rediss:// URL',
    example: 'redis://redis:6379/0',
    secret: true,
    about: 'Redis 7 or Valkey with appendonly yes and noeviction: the state of rounds.',
  }),
};

/** Where the bytes are. */
export const s3Settings = {
  s3Bucket: setting({
    env: 'S3_BUCKET',
    schema: nonEmptyText,
    allowed: 'the name of a bucket that exists',
    example: 'flexlora',
    about: 'Bucket of updates and adapters.',
  }),
  s3Endpoint: setting({
    env: 'S3_ENDPOINT',
    schema: absentAsNull(httpUrl),
    allowed: 'an http:// or https:// URL; without it AWS of the region',
    example: 'http://minio:9000',
    about: 'Where the S3 service is.',
  }),
  s3Region: setting({
    env: 'S3_REGION',
    schema: nonEmptyText.default('us-east-1'),
    allowed: 'a region of the S3 service',
    example: 'eu-central-1',
    about: 'Region of the bucket.',
  }),
  s3PathStyle: setting({
    env: 'S3_PATH_STYLE',
    schema: absentAsNull(z.enum(['true', 'false']).transform((value) => value === 'true')),
    allowed: 'true, false; without it true where S3_ENDPOINT is set',
    example: 'true',
    about: 'Put the bucket into the path instead of the host name: MinIO and most others need it.',
  }),
  s3AccessKeyId: setting({
    env: 'AWS_ACCESS_KEY_ID',
    schema: optionalText,
    allowed: 'an access key, together with AWS_SECRET_ACCESS_KEY; without both the credentials of the machine',
    example: 'flexlora',
    about: 'Access key of the S3 service.',
  }),
  s3SecretAccessKey: setting({
    env: 'AWS_SECRET_ACCESS_KEY',
    schema: optionalText,
    allowed: 'a secret key, together with AWS_ACCESS_KEY_ID',
    example: '<secret>',
    secret: true,
    about: 'Secret key of the S3 service.',
  }),
  s3SessionToken: setting({
    env: 'AWS_SESSION_TOKEN',
    schema: optionalText,
    allowed: 'a session token, together with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    example: '<secret>',
    secret: true,
    about: 'Token of temporary keys.',
  }),
};

export const s3Rules: readonly SettingRule[] = [
  together(s3Settings.s3AccessKeyId, s3Settings.s3SecretAccessKey),
  needs(s3Settings.s3SessionToken, s3Settings.s3AccessKeyId),
];

/** What opens a bucket: plain data, as `createS3ObjectStore` takes it. */
export interface S3Options {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string;
  readonly forcePathStyle?: boolean;
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

export function s3OptionsOf(config: ConfigOf<typeof s3Settings>): S3Options {
  const { s3AccessKeyId: accessKeyId, s3SecretAccessKey: secretAccessKey, s3SessionToken: sessionToken } = config;
  return {
    bucket: config.s3Bucket,
    region: config.s3Region,
    ...(config.s3Endpoint !== null && { endpoint: config.s3Endpoint }),
    ...(config.s3PathStyle !== null && { forcePathStyle: config.s3PathStyle }),
    ...(accessKeyId !== null &&
      secretAccessKey !== null && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== null && { sessionToken }) },
      }),
  };
}
