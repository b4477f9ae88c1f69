import { ConfigError, readConfig, setting } from '@flexlora/runtime';
import { z } from 'zod';
import type { S3Place } from './platform.ts';

const text = z.string().min(1);

/** The bucket and the keys of the S3 service, by the usual variables. */
const s3Settings = {
  bucket: setting({
    env: 'S3_BUCKET',
    schema: text.default('flexlora'),
    allowed: 'the name of a bucket that exists',
    example: 'flexlora',
    about: 'Bucket of updates and adapters.',
  }),
  region: setting({
    env: 'S3_REGION',
    schema: text.default('us-east-1'),
    allowed: 'a region of the S3 service',
    example: 'eu-central-1',
    about: 'Region of the bucket.',
  }),
  accessKeyId: setting({
    env: 'AWS_ACCESS_KEY_ID',
    schema: text.optional(),
    allowed: 'an access key, together with AWS_SECRET_ACCESS_KEY; without both the credentials of the machine',
    example: 'flexlora',
    about: 'Access key of the S3 service.',
  }),
  secretAccessKey: setting({
    env: 'AWS_SECRET_ACCESS_KEY',
    schema: text.optional(),
    allowed: 'a secret key, together with AWS_ACCESS_KEY_ID',
    example: '<secret>',
    secret: true,
    about: 'Secret key of the S3 service.',
  }),
};

const storeSettings = {
  redisUrl: setting({
    env: 'REDIS_URL',
    schema: z.string().regex(/^rediss?:\/\/.+/),
    allowed: 'a redis:// or rediss:// URL',
    example: 'redis://127.0.0.1:6379',
    secret: true,
    about: 'Redis 7 or Valkey: the state of rounds.',
  }),
  s3Endpoint: setting({
    env: 'S3_ENDPOINT',
    schema: z.string().regex(/^https?:\/\/.+/),
    allowed: 'an http:// or https:// URL',
    example: 'http://127.0.0.1:9000',
    about: 'Where the S3 service is.',
  }),
};

type Environment = Readonly<Record<string, string | undefined>>;

/** The place of an S3 whose endpoint is known. @throws {ConfigError} */
export function readS3Place(endpoint: string, env: Environment = process.env): S3Place {
  const { bucket, region, accessKeyId, secretAccessKey } = readConfig(s3Settings, env);
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    const missing = accessKeyId === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
    throw new ConfigError([`${missing} is not set, but its counterpart is; allowed: both or neither`]);
  }
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined ? null : { accessKeyId, secretAccessKey };
  return { endpoint, region, bucket, credentials };
}

/** Both stores, as `flexlora dev-cluster` needs them. @throws {ConfigError} */
export function readStores(env: Environment = process.env): { readonly redisUrl: string; readonly s3: S3Place } {
  const { redisUrl, s3Endpoint } = readConfig(storeSettings, env);
  return { redisUrl, s3: readS3Place(s3Endpoint, env) };
}
