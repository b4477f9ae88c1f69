import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, systemClock } from '@flexlora/runtime';
import { openStores } from './open-stores.ts';

const deps = { clock: systemClock };

test('stores that the environment names are taken as they are, and nothing is started', async () => {
  const stores = await openStores(deps, {
    REDIS_URL: 'redis://localhost:6379',
    S3_ENDPOINT: 'http://localhost:9000',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
  });
  assert.equal(stores.redisUrl, 'redis://localhost:6379');
  assert.equal(stores.s3.endpoint, 'http://localhost:9000');
  assert.deepEqual(stores.programs, []);
  await stores.close();
});

test('one store alone is a configuration that lacks the other', async () => {
  const isWhole = (error: unknown): boolean =>
    error instanceof ConfigError && /S3_ENDPOINT is not set/.test(error.message);
  await assert.rejects(openStores(deps, { REDIS_URL: 'redis://localhost:6379' }), isWhole);
});

test('where nothing is named and nothing is on PATH, both ways out are told', async () => {
  await assert.rejects(
    openStores(deps, { PATH: '/nowhere' }),
    /redis-server and minio are not on PATH; put them there, or set REDIS_URL, S3_ENDPOINT/,
  );
});

test('a program that ends instead of answering is told with what it said', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'flexlora-path-'));
  try {
    for (const name of ['redis-server', 'minio'])
      await writeFile(join(folder, name), '#!/bin/sh\necho "no room on the disk"\nexit 3\n', { mode: 0o755 });
    await assert.rejects(
      openStores(deps, { PATH: `${folder}:/bin:/usr/bin` }),
      /redis-server ended before it answered: exit code 3; it last said: no room on the disk/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
