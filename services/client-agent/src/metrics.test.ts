import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { RATE_WINDOW_MS } from './limits.ts';
import { createAgentMetrics } from './metrics.ts';

async function readMetric(registry: Registry, name: string, labels = ''): Promise<string | undefined> {
  const lines = (await registry.metrics()).split('\n');
  return lines.find((line) => line.startsWith(`${name}${labels} `))?.split(' ')[1];
}

const clock = { nowMs: () => 0 };
const unknown = { bytesPerSecond: null, secondsLeft: null };

test('bytes are counted once, also over a transfer that goes on and over two rounds', async () => {
  const registry = new Registry();
  const observe = createAgentMetrics(registry, clock);
  for (const bytes of [0, 400, 300, 500]) observe({ kind: 'downloading', round: 1, bytes, total: 500, ...unknown });
  // The rest of what an earlier process sent.
  for (const bytes of [200, 1_000]) observe({ kind: 'uploading', round: 1, bytes, total: 1_000, ...unknown });
  for (const bytes of [0, 500]) observe({ kind: 'downloading', round: 2, bytes, total: 500, ...unknown });
  assert.equal(await readMetric(registry, 'flexlora_agent_downloaded_bytes_total'), '1000');
  assert.equal(await readMetric(registry, 'flexlora_agent_uploaded_bytes_total'), '800');
});

test('assignments are counted by how they ended; a refused enrolment is none', async () => {
  const registry = new Registry();
  const observe = createAgentMetrics(registry, clock);
  observe({ kind: 'accepted', countsIn: 1, sha256: '', round: 1, samples: 1, loss: null });
  observe({ kind: 'refused', round: 2, reason: 'late', message: '' });
  observe({ kind: 'refused', round: null, reason: 'runFull', message: '' });
  observe({ kind: 'retrying', what: 'open upload', message: '', waitMs: 1 });
  assert.equal(await readMetric(registry, 'flexlora_agent_assignments_total', '{outcome="accepted"}'), '1');
  assert.equal(await readMetric(registry, 'flexlora_agent_assignments_total', '{outcome="refused"}'), '1');
  assert.equal(await readMetric(registry, 'flexlora_agent_retries_total', '{what="open_upload"}'), '1');
});

test('the transfer under way is told as it is when it is asked for, and nothing when there is none', async () => {
  const registry = new Registry();
  let nowMs = 0;
  const hear = createAgentMetrics(registry, { nowMs: () => nowMs });
  const samples = async () => {
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('flexlora_agent_transfer_'));
    return lines.map((line) => line.replace('flexlora_agent_transfer_', ''));
  };
  const move = (kind: 'downloading' | 'uploading', bytes: number): void =>
    hear({ kind, round: 1, bytes, total: 5_000, bytesPerSecond: null, secondsLeft: null });

  assert.deepEqual(await samples(), []);
  move('downloading', 0);
  assert.deepEqual(await samples(), ['done_bytes{direction="download"} 0', 'size_bytes{direction="download"} 5000']);
  hear({ kind: 'trained', round: 1, samples: 1, loss: 1, seconds: 1 });
  move('uploading', 0);
  nowMs += 1_000;
  move('uploading', 1_000);
  const moved = ['done_bytes{direction="upload"} 1000', 'size_bytes{direction="upload"} 5000'];
  const rate = (bytesPerSecond: number) => `bytes_per_second{direction="upload"} ${bytesPerSecond}`;
  assert.deepEqual(await samples(), [...moved, rate(1_000), 'left_seconds{direction="upload"} 4']);
  nowMs += RATE_WINDOW_MS + 1;
  hear({ kind: 'retrying', what: 'upload', message: 'nothing moved', waitMs: 1 });
  assert.deepEqual(await samples(), [...moved, rate(0)]);
  hear({ kind: 'failed', round: 1, message: 'enough' });
  assert.deepEqual(await samples(), []);
});

test('the error of a quantised update is observed once an update', async () => {
  const registry = new Registry();
  const observe = createAgentMetrics(registry, clock);
  for (const relativeError of [0.004, 0.008]) observe({ kind: 'quantised', round: 1, relativeError });
  assert.equal(await readMetric(registry, 'flexlora_agent_update_relative_error_bucket', '{le="0.005"}'), '1');
  assert.equal(await readMetric(registry, 'flexlora_agent_update_relative_error_count'), '2');
});
