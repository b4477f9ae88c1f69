import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRefusal, parseAggregatorId } from '@flexlora/core';
import { ConfigError } from '@flexlora/runtime';
import fc from 'fast-check';
import { aggregatorIdOf, readAggregatorConfig, settings } from './config.ts';

const REQUIRED = { FLEXLORA_ORCHESTRATOR: 'orchestrator:7443', S3_BUCKET: 'flexlora' };

test('two settings are enough', () => {
  assert.deepEqual(readAggregatorConfig(REQUIRED), {
    aggregatorId: null,
    orchestrator: 'orchestrator:7443',
    parallelTasks: 2,
    kernelThreads: null,
    kernelMemoryBytes: 2 ** 31,
    tls: 'off',
    tlsCaFile: null,
    tlsCertificateFile: null,
    tlsKeyFile: null,
    s3Bucket: 'flexlora',
    s3Endpoint: null,
    s3Region: 'us-east-1',
    s3AccessKeyId: null,
    s3SecretAccessKey: null,
    s3SessionToken: null,
    s3PathStyle: null,
    statusHost: '0.0.0.0',
    statusPort: 9464,
    logLevel: 'info',
  });
});

test('every problem is told at once, those between settings too', () => {
  const env = {
    FLEXLORA_AGGREGATOR_ID: 'Über',
    FLEXLORA_PARALLEL_TASKS: '65',
    FLEXLORA_KERNEL_THREADS: '0',
    FLEXLORA_KERNEL_MEMORY_BYTES: '2048',
    S3_ENDPOINT: 'minio:9000',
    FLEXLORA_TLS_CERTIFICATE_FILE: 'tls.crt',
    AWS_ACCESS_KEY_ID: 'flexlora',
  };
  assert.throws(
    () => readAggregatorConfig(env),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => problem.split(/[ ;]/)[0]),
        [
          'FLEXLORA_AGGREGATOR_ID',
          'FLEXLORA_PARALLEL_TASKS',
          'FLEXLORA_KERNEL_THREADS',
          'FLEXLORA_KERNEL_MEMORY_BYTES',
          'FLEXLORA_ORCHESTRATOR',
          'S3_BUCKET',
          'S3_ENDPOINT',
          'FLEXLORA_TLS_KEY_FILE',
          'FLEXLORA_TLS',
          'AWS_SECRET_ACCESS_KEY',
        ],
      );
      return true;
    },
  );
});

test('a certificate needs its key and TLS, a secret its access key', () => {
  for (const [env, words] of [
    [
      { FLEXLORA_TLS: 'on', FLEXLORA_TLS_CERTIFICATE_FILE: 'c' },
      /FLEXLORA_TLS_KEY_FILE is not set, but FLEXLORA_TLS_CERTIFICATE_FILE is/,
    ],
    [{ FLEXLORA_TLS_CA_FILE: 'ca' }, /FLEXLORA_TLS is not on, but FLEXLORA_TLS_CA_FILE is set/],
    [{ AWS_SECRET_ACCESS_KEY: 's' }, /AWS_ACCESS_KEY_ID is not set, but AWS_SECRET_ACCESS_KEY is/],
  ] as const)
    assert.throws(() => readAggregatorConfig({ ...REQUIRED, ...env }), words);
});

test('every example is allowed', () => {
  const env = Object.fromEntries(Object.values(settings).map(({ env: name, example }) => [name, example]));
  assert.equal(readAggregatorConfig(env).aggregatorId, 'aggregator-0');
});

test('any host name makes an id that is allowed', () => {
  assert.equal(aggregatorIdOf('node-7.cluster.local', 'a1b2c3'), 'node-7-cluster-local-a1b2c3');
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), (hostname) => {
      assert.ok(!isRefusal(parseAggregatorId(aggregatorIdOf(hostname, 'a1b2c3'))), hostname);
    }),
  );
});
