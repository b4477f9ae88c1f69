import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, type Environment, readConfig } from './config.ts';
import { redisSettings, s3OptionsOf, s3Rules, s3Settings } from './store-settings.ts';

const read = (env: Environment) => readConfig(s3Settings, { S3_BUCKET: 'b', ...env }, s3Rules);

test('a bucket is enough: the rest is left to the store and to the machine', () => {
  assert.deepEqual(s3OptionsOf(read({})), { bucket: 'b', region: 'us-east-1' });
});

test('what is set is passed on, false included', () => {
  const env = { S3_ENDPOINT: 'http://minio:9000', S3_REGION: 'r', S3_PATH_STYLE: 'false' };
  const keys = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' };
  const place = { bucket: 'b', region: 'r', endpoint: 'http://minio:9000', forcePathStyle: false };
  assert.deepEqual(s3OptionsOf(read({ ...env, ...keys })), {
    ...place,
    credentials: { accessKeyId: 'k', secretAccessKey: 's' },
  });
  assert.deepEqual(s3OptionsOf(read({ ...env, ...keys, AWS_SESSION_TOKEN: 't' })).credentials, {
    accessKeyId: 'k',
    secretAccessKey: 's',
    sessionToken: 't',
  });
});

test('a key without its secret, and a token without a key, are problems that repeat no secret', () => {
  for (const [env, words] of [
    [{ AWS_ACCESS_KEY_ID: 'hunter2' }, /AWS_SECRET_ACCESS_KEY is not set, but AWS_ACCESS_KEY_ID is/],
    [{ AWS_SECRET_ACCESS_KEY: 'hunter2' }, /AWS_ACCESS_KEY_ID is not set, but AWS_SECRET_ACCESS_KEY is/],
    [{ AWS_SESSION_TOKEN: 'hunter2' }, /AWS_ACCESS_KEY_ID is not set, but AWS_SESSION_TOKEN is set/],
  ] as const)
    assert.throws(
      () => read(env),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, words);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      },
    );
});

test('an endpoint without http, or a Redis that is none, is a problem; its password is not repeated', () => {
  assert.throws(() => read({ S3_ENDPOINT: 'minio:9000' }), /S3_ENDPOINT is "minio:9000"; allowed: an http:/);
  const redis = (): unknown => readConfig(redisSettings, { REDIS_URL: 'http://user:hunter2@x' });
  assert.throws(redis, /REDIS_URL is a text of 21 characters; allowed: a redis:/);
});
