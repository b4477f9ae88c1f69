import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@flexlora/runtime';
import { readS3, readStores } from './config.ts';

test('an endpoint is enough for an S3: the keys may be those of the machine', () => {
  const place = { bucket: 'flexlora', region: 'us-east-1', endpoint: 'http://127.0.0.1:9000' };
  assert.deepEqual(readS3('http://127.0.0.1:9000', { S3_ENDPOINT: 'http://other:1' }), place);
  assert.throws(() => readS3('127.0.0.1:9000', {}), /S3_ENDPOINT is "127\.0\.0\.1:9000"; allowed: an http:/);
});

test('a cluster without its stores says every setting that is missing', () => {
  assert.throws(
    () => readStores({ REDIS_URL: '' }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => problem.split(';')[0]),
        ['REDIS_URL', 'S3_ENDPOINT', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'].map((name) => `${name} is not set`),
      );
      return true;
    },
  );
});
