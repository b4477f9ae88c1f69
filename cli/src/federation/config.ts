import {
  type Environment,
  httpUrl,
  nonEmptyText,
  readConfig,
  redisSettings,
  type S3Options,
  s3OptionsOf,
  s3Rules,
  s3Settings,
  setting,
} from '@flexlora/runtime';

/** The bucket of a demonstration has a name of its own, and is made when it is not there. */
const demoS3Settings = {
  ...s3Settings,
  s3Bucket: setting({
    ...s3Settings.s3Bucket,
    schema: nonEmptyText.default('flexlora'),
    allowed: 'the name of a bucket; it is made when it is not there',
  }),
};

/** A cluster's processes see nothing of this machine but what they are given: a place, and keys. */
const clusterSettings = {
  ...redisSettings,
  ...demoS3Settings,
  s3Endpoint: setting({
    ...s3Settings.s3Endpoint,
    schema: httpUrl,
    allowed: 'an http:// or https:// URL',
    example: 'http://127.0.0.1:9000',
  }),
  s3AccessKeyId: setting({ ...s3Settings.s3AccessKeyId, schema: nonEmptyText, allowed: 'an access key' }),
  s3SecretAccessKey: setting({ ...s3Settings.s3SecretAccessKey, schema: nonEmptyText, allowed: 'its secret key' }),
};

/** The S3 at an endpoint; its bucket and keys by the usual variables. @throws {ConfigError} */
export function readS3(endpoint: string, env: Environment = process.env): S3Options {
  return s3OptionsOf(readConfig(demoS3Settings, { ...env, [s3Settings.s3Endpoint.env]: endpoint }, s3Rules));
}

/** The S3 that the environment names by its bucket; null when it names none. @throws {ConfigError} */
export const readS3IfNamed = (env: Environment = process.env): S3Options | null =>
  (env[s3Settings.s3Bucket.env] ?? '') === '' ? null : s3OptionsOf(readConfig(s3Settings, env, s3Rules));

/** Both stores, as `flexlora dev-cluster` needs them. @throws {ConfigError} */
export function readStores(env: Environment = process.env): { readonly redisUrl: string; readonly s3: S3Options } {
  const config = readConfig(clusterSettings, env);
  return { redisUrl: config.redisUrl, s3: s3OptionsOf(config) };
}

/** Whether the environment speaks of neither store: then they may be started. One of them alone is a fault that `readStores` names. */
export const namesNoStore = (env: Environment = process.env): boolean =>
  [redisSettings.redisUrl, s3Settings.s3Endpoint].every(({ env: name }) => (env[name] ?? '') === '');
