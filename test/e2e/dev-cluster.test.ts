import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startMinio } from '../harness/containers/minio-server.ts';
import { startRedis } from '../harness/containers/redis-server.ts';
import { reportIn, startCli } from './cli-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'flexlora-cluster-'));
const [redis, minio] = await Promise.all([startRedis(), startMinio()]);
after(async () => {
  for (const service of [redis, minio]) if (!('skip' in service)) await service.stop();
  rmSync(scratch, { recursive: true, force: true });
});
const skip = 'skip' in redis ? redis.skip : 'skip' in minio ? minio.skip : false;

const digestOf = (adapterDir: string): string =>
  createHash('sha256')
    .update(readFileSync(join(adapterDir, 'adapter_model.safetensors')))
    .digest('hex');

test('a cluster whose aggregator and orchestrator are killed ends with every round, every update, and the adapter of an undisturbed run', {
  skip,
}, async () => {
  assert.ok(!('skip' in redis) && !('skip' in minio));
  const env = {
    REDIS_URL: redis.url,
    S3_ENDPOINT: minio.endpoint,
    S3_REGION: minio.region,
    S3_BUCKET: minio.bucket,
    AWS_ACCESS_KEY_ID: minio.accessKeyId,
    AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
  };
  const federation = ['--agents', '3', '--rounds', '3', '--seed', '7', '--json'];
  const cluster = startCli(['dev-cluster', ...federation], { env, cwd: scratch });
  const killed = async (name: string): Promise<void> => {
    const [, pid] = await cluster.line(new RegExp(`${name} is process (\\d+)`));
    process.kill(Number(pid), 'SIGKILL');
  };
  await cluster.line(/round 1: site-\w+ update accepted/);
  await killed('aggregator-1');
  await cluster.line(/round 2: site-\w+ trains at rank/);
  await killed('orchestrator-1');

  const disturbed = await cluster.ended;
  assert.equal(disturbed.code, 0, disturbed.stderr);
  const report = reportIn(disturbed.stdout);
  assert.deepEqual(
    report.rounds.map(({ round, updates }) => [round, updates]),
    [
      [1, 3],
      [2, 3],
      [3, 3],
    ],
  );

  const calm = await startCli(['start', ...federation, '--out', join(scratch, 'calm')]).ended;
  assert.equal(calm.code, 0, calm.stderr);
  assert.equal(digestOf(report.adapter_dir), digestOf(reportIn(calm.stdout).adapter_dir));
});

test('a cluster without its stores says every setting that is missing', async () => {
  const { code, stderr } = await startCli(['dev-cluster'], { env: { REDIS_URL: '', S3_ENDPOINT: '' }, cwd: scratch })
    .ended;
  assert.equal(code, 2, stderr);
  assert.match(stderr, /REDIS_URL is not set; allowed: a redis:\/\/ or rediss:\/\/ URL/);
  assert.match(stderr, /S3_ENDPOINT is not set; allowed: an http:\/\/ or https:\/\/ URL/);
});
