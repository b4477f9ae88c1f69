import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@flexlora/runtime';
import { readOrchestratorConfig, settings } from './config.ts';

const enough = { REDIS_URL: 'redis://127.0.0.1:6379/0', S3_BUCKET: 'flexlora' };

const problemsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
  try {
    readOrchestratorConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

test('where the stores are is enough to start', () => {
  const config = readOrchestratorConfig(enough);
  assert.equal(config.role, 'all');
  assert.equal(config.leaseMs, 5_000);
  assert.equal(config.s3Endpoint, null);
  assert.equal(config.reflection, false);
});

test('every problem is told at once, those between settings included, and no secret is repeated', () => {
  const problems = problemsOf({
    FLEXLORA_LEASE_MS: '1',
    REDIS_URL: 'http://user:hunter2@x',
    FLEXLORA_TLS_CERTIFICATE_FILE: '/tls.crt',
  });
  const text = problems.join('\n');
  for (const env of ['FLEXLORA_LEASE_MS', 'REDIS_URL', 'S3_BUCKET', 'FLEXLORA_TLS_KEY_FILE'])
    assert.match(text, new RegExp(`${env} is`));
  assert.equal(problems.length, 4);
  assert.doesNotMatch(text, /hunter2/);
});

test('an authority for clients without a certificate of the server would be ignored, so it is a problem', () => {
  assert.deepEqual(problemsOf({ ...enough, FLEXLORA_TLS_CLIENT_CA_FILE: '/ca.crt' }), [
    'FLEXLORA_TLS_CERTIFICATE_FILE is not set, but FLEXLORA_TLS_CLIENT_CA_FILE is set; allowed: FLEXLORA_TLS_CERTIFICATE_FILE with it, or no FLEXLORA_TLS_CLIENT_CA_FILE',
  ]);
});

test('a key of the object store without its secret is a problem', () => {
  assert.deepEqual(problemsOf({ ...enough, AWS_ACCESS_KEY_ID: 'x' }), [
    'AWS_SECRET_ACCESS_KEY is not set, but AWS_ACCESS_KEY_ID is; allowed: both or neither',
  ]);
});

test('every example is allowed, and no two settings share a name', () => {
  const all = Object.values(settings);
  for (const { env, example, schema } of all) assert.ok(schema.safeParse(example).success, `${env}=${example}`);
  assert.equal(new Set(all.map(({ env }) => env)).size, all.length);
});
