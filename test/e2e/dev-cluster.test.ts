import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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

const s3Environment = (server: Extract<typeof minio, { readonly endpoint: string }>) => ({
  S3_ENDPOINT: server.endpoint,
  S3_REGION: server.region,
  S3_BUCKET: server.bucket,
  AWS_ACCESS_KEY_ID: server.accessKeyId,
  AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
});

const digestOf = (adapterDir: string): string =>
  createHash('sha256')
    .update(readFileSync(join(adapterDir, 'adapter_model.safetensors')))
    .digest('hex');

test('a cluster whose aggregator and orchestrator are killed ends with every round, every update, and the adapter of an undisturbed run', {
  skip,
}, async () => {
  assert.ok(!('skip' in redis) && !('skip' in minio));
  const env = { ...s3Environment(minio), REDIS_URL: redis.url };
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

/** Every process of the cluster whose folder was named, by the pid that stands in processes.json. */
function processesOf(stderr: string): { readonly logs: string; readonly pids: readonly number[] } {
  const directory = /logs and pids: (.+)/.exec(stderr)?.[1] ?? assert.fail(stderr);
  const processes = JSON.parse(readFileSync(join(directory, 'processes.json'), 'utf8')) as { readonly pid: number }[];
  return { logs: join(directory, 'logs'), pids: processes.map(({ pid }) => pid) };
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a cluster whose services end before the run is created says which, and leaves no process behind', {
  skip: 'skip' in minio ? minio.skip : false,
}, async () => {
  assert.ok(!('skip' in minio));
  const env = { ...s3Environment(minio), REDIS_URL: 'redis://127.0.0.1:1' };
  const { code, stderr } = await startCli(['dev-cluster', '--agents', '2'], { env, cwd: scratch }).ended;
  assert.equal(code, 1, stderr);
  assert.match(stderr, /the run cannot go on: orchestrator-1 ended \(exit code 1\): see .*logs\/orchestrator-1\.log/);
  assert.doesNotMatch(stderr, /\n {4}at /);
  const { pids } = processesOf(stderr);
  assert.equal(pids.length, 6);
  assert.deepEqual(pids.filter(isThere), []);
});

test('Ctrl-C in a terminal drains every service of a cluster, leaves none behind, and cancels the run', {
  skip,
}, async () => {
  assert.ok(!('skip' in redis) && !('skip' in minio));
  const env = { ...s3Environment(minio), REDIS_URL: redis.url };
  const cluster = startCli(['dev-cluster', '--agents', '2', '--rounds', '100'], { env, cwd: scratch });
  await cluster.line(/round 1: site-\w+ trains at rank/);
  cluster.signalGroup('SIGINT');
  const { code, stderr } = await cluster.ended;
  assert.equal(code, 130, stderr);
  const { logs, pids } = processesOf(stderr);
  assert.deepEqual(pids.filter(isThere), []);
  for (const log of readdirSync(logs)) {
    // Agents learn that their run is cancelled, and end by themselves.
    assert.match(readFileSync(join(logs, log), 'utf8'), /"stopped"|the run has ended|cancelled/, `${log} shows no end`);
  }
  assert.match(readFileSync(join(logs, 'orchestrator-1.log'), 'utf8'), /"stopped"/);
  assert.doesNotMatch(stderr, /could not be cancelled/);
});

test('a cluster without its stores says every setting that is missing', async () => {
  const { code, stderr } = await startCli(['dev-cluster'], { env: { REDIS_URL: '', S3_ENDPOINT: '' }, cwd: scratch })
    .ended;
  assert.equal(code, 2, stderr);
  assert.match(stderr, /REDIS_URL is not set; allowed: a redis:\/\/ or rediss:\/\/ URL/);
  assert.match(stderr, /S3_ENDPOINT is not set; allowed: an http:\/\/ or https:\/\/ URL/);
});
