import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createAgentMetrics } from './metrics.ts';

async function readMetric(registry: Registry, name: string, labels = ''): Promise<string | undefined> {
  const lines = (await registry.metrics()).split('\n');
  return lines.find((line) => line.startsWith(`${name}${labels} `))?.split(' ')[1];
}

test('bytes are counted once, also over a transfer that goes on and over two rounds', async () => {
  const registry = new Registry();
  const observe = createAgentMetrics(registry);
  for (const bytes of [0, 400, 300, 500]) observe({ kind: 'downloading', round: 1, bytes, total: 500 });
  // The rest of what an earlier process sent.
  for (const bytes of [200, 1_000]) observe({ kind: 'uploading', round: 1, bytes, total: 1_000 });
  for (const bytes of [0, 500]) observe({ kind: 'downloading', round: 2, bytes, total: 500 });
  assert.equal(await readMetric(registry, 'flexlora_agent_downloaded_bytes_total'), '1000');
  assert.equal(await readMetric(registry, 'flexlora_agent_uploaded_bytes_total'), '800');
});

test('assignments are counted by how they ended; a refused enrolment is none', async () => {
  const registry = new Registry();
  const observe = createAgentMetrics(registry);
  observe({ kind: 'accepted', countsIn: 1, sha256: '', round: 1, samples: 1, loss: null });
  observe({ kind: 'refused', round: 2, reason: 'late', message: '' });
  observe({ kind: 'refused', round: null, reason: 'runFull', message: '' });
  observe({ kind: 'retrying', what: 'open upload', message: '', waitMs: 1 });
  assert.equal(await readMetric(registry, 'flexlora_agent_assignments_total', '{outcome="accepted"}'), '1');
  assert.equal(await readMetric(registry, 'flexlora_agent_assignments_total', '{outcome="refused"}'), '1');
  assert.equal(await readMetric(registry, 'flexlora_agent_retries_total', '{what="open_upload"}'), '1');
});

test('the error of a quantised update is observed once an update', async () => {
  const registry = new Registry();
  const observe = createAgentMetrics(registry);
  for (const relativeError of [0.004, 0.008]) observe({ kind: 'quantised', round: 1, relativeError });
  assert.equal(await readMetric(registry, 'flexlora_agent_update_relative_error_bucket', '{le="0.005"}'), '1');
  assert.equal(await readMetric(registry, 'flexlora_agent_update_relative_error_count'), '2');
});
