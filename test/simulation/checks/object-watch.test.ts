import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryObjectStore } from '@flexlora/stores';
import { createFindings } from './findings.ts';
import { createObjectWatch } from './object-watch.ts';

const ROUND = 'runs/r/rounds/000001';
const UPDATE = `${ROUND}/updates/a/1.safetensors`;
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

function scene() {
  const findings = createFindings();
  const watch = createObjectWatch(createMemoryObjectStore(), findings);
  return { findings, watch, store: watch.store };
}

test('what is written over with other bytes is found', async () => {
  const { findings, store } = scene();
  await store.put(`${ROUND}/adapter/t-0-aaaaaaaa-1-bbbbbbbb.bin`, json(1));
  await store.put(`${ROUND}/adapter/t-0-aaaaaaaa-1-bbbbbbbb.bin`, json(1));
  assert.deepEqual(findings.all, []);
  await store.put(`${ROUND}/adapter/t-0-aaaaaaaa-1-bbbbbbbb.bin`, json(2));
  assert.match(findings.all.join(), /written over/);
});

test('two attempts at a task with the same updates that differ are found', async () => {
  const { findings, store } = scene();
  await store.put(`${ROUND}/adapter/t-0-aaaaaaaa-1-bbbbbbbb.bin`, json(1));
  await store.put(`${ROUND}/adapter/t-0-aaaaaaaa-2-cccccccc.bin`, json(1));
  await store.put(`${ROUND}/adapter/t-0-dddddddd-2-cccccccc.bin`, json(2));
  assert.deepEqual(findings.all, []);
  await store.put(`${ROUND}/adapter/t-0-aaaaaaaa-3-eeeeeeee.bin`, json(3));
  assert.match(findings.all.join(), /differs from another attempt/);
});

test('an update that is deleted while its facts stand in an open round is found, and so are the facts', async () => {
  const { findings, store } = scene();
  await store.put(UPDATE, json(1));
  await store.putIfAbsent(`${ROUND}/updates/a/facts.json`, json({ agentId: 'a', objectName: UPDATE }));
  await store.delete(UPDATE);
  await store.delete(`${ROUND}/updates/a/facts.json`);
  assert.equal(findings.all.length, 2, findings.all.join());
});

test('a ledger that names what is not there, or an agent twice, is found', async () => {
  const { findings, store } = scene();
  const update = { agentId: 'a', digest: 'aa', objectName: UPDATE };
  await store.put(UPDATE, json(1));
  await store.putIfAbsent(`${ROUND}/ledger.json`, json({ updates: [update] }));
  assert.deepEqual(findings.all, []);
  await store.putIfAbsent('runs/r/rounds/000002/ledger.json', json({ updates: [update, update] }));
  await store.putIfAbsent('runs/r/rounds/000003/ledger.json', json({ updates: [{ ...update, objectName: 'gone' }] }));
  assert.match(findings.all.join('\n'), /counts an agent twice\n.*names gone, which is not there/);
});

test('a published round keeps what it names, and may lose the rest', async () => {
  const { findings, store, watch } = scene();
  const update = { agentId: 'a', digest: 'aa', objectName: UPDATE };
  const other = `${ROUND}/updates/b/1.safetensors`;
  await store.put(UPDATE, json(1));
  await store.put(other, json(2));
  await store.putIfAbsent(`${ROUND}/updates/b/facts.json`, json({ agentId: 'b', objectName: other }));
  await store.putIfAbsent(`${ROUND}/ledger.json`, json({ updates: [update] }));
  const ledger = { objectName: `${ROUND}/ledger.json`, digest: 'dd' };
  await store.putIfAbsent(`${ROUND}/manifest.json`, json({ ledger, updates: [update], objects: [] }));
  await store.delete(`${ROUND}/updates/b/facts.json`);
  await store.delete(other);
  assert.deepEqual([findings.all, [...watch.manifests.keys()]], [[], [1]]);
  await store.delete(UPDATE);
  assert.match(findings.all.join(), /was deleted; .*ledger\.json names it/);
});
