import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redisConcerns } from './redis-config.ts';

const info = (changes: Record<string, string> = {}): string =>
  Object.entries({
    redis_version: '7.0.15',
    aof_enabled: '1',
    role: 'master',
    maxmemory_policy: 'noeviction',
    ...changes,
  })
    .map(([name, value]) => `${name}:${value}`)
    .join('\r\n');

test('a primary that keeps everything is no concern', () => {
  assert.deepEqual(redisConcerns(`# Server\r\n${info()}\r\n`), { faults: [], warnings: [] });
  assert.deepEqual(redisConcerns(info({ redis_version: '7.2.4', valkey_version: '8.1.0' })).faults, []);
  assert.deepEqual(redisConcerns(info({ redis_version: '10.0.0' })).faults, []);
});

test('each eviction policy but noeviction is a fault that says what to set', () => {
  for (const policy of ['allkeys-lru', 'volatile-lru', 'volatile-ttl', 'allkeys-random']) {
    const { faults } = redisConcerns(info({ maxmemory_policy: policy }));
    assert.equal(faults.length, 1);
    assert.match(faults[0] ?? '', new RegExp(`${policy}.*set "maxmemory-policy noeviction"`));
  }
});

test('a replica and an old version are faults', () => {
  assert.match(redisConcerns(info({ role: 'slave' })).faults[0] ?? '', /role is slave.*primary/);
  assert.match(redisConcerns(info({ redis_version: '6.2.14' })).faults[0] ?? '', /version is 6\.2\.14.*upgrade/);
});

test('without appendonly there is a warning and no fault', () => {
  const { faults, warnings } = redisConcerns(info({ aof_enabled: '0' }));
  assert.deepEqual(faults, []);
  assert.match(warnings[0] ?? '', /appendonly yes/);
});

test('an answer that says nothing is not taken for a good one', () => {
  assert.equal(redisConcerns('').faults.length, 3);
});
