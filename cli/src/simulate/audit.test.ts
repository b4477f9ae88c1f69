import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdapterManifest, ManifestUpdate } from '@flexlora/core';
import { createMemoryObjectStore } from '@flexlora/stores';
import { auditUpdates, readManifests } from './audit.ts';

const update = (agentId: string, more: object = {}): ManifestUpdate =>
  ({ agentId, digest: 'a'.repeat(64), samples: 1, ranks: {}, ...more }) as unknown as ManifestUpdate;
const manifest = (
  round: number,
  ...updates: readonly ManifestUpdate[]
): Pick<AdapterManifest, 'round' | 'updates'> => ({
  round,
  updates,
});
const ack = (agentId: string, round: number) => ({ agentId, round });

test('an acknowledged update that stands in its round once is neither lost nor counted twice', () => {
  const manifests = [manifest(1, update('a'), update('b')), manifest(2, update('a'))];
  const audit = auditUpdates([ack('a', 1), ack('b', 1), ack('a', 2)], manifests);
  assert.deepEqual(audit, { acknowledged: 3, lost: [], countedTwice: [] });
});

test('an acknowledged update that is in no manifest is lost', () => {
  const audit = auditUpdates([ack('a', 1), ack('b', 1)], [manifest(1, update('a')), manifest(2, update('b'))]);
  assert.deepEqual(audit.lost, [ack('b', 1)]);
});

test('an update that stands in a round twice, or in two rounds, is counted twice', () => {
  const manifests = [manifest(1, update('a'), update('a'), update('b')), manifest(2, update('b', { trainedIn: 1 }))];
  assert.deepEqual(auditUpdates([], manifests).countedTwice, [ack('a', 1), ack('b', 1)]);
});

test('an update that was carried counts for the round that it was trained in', () => {
  const manifests = [manifest(1), manifest(2, update('a', { trainedIn: 1 }))];
  assert.deepEqual(auditUpdates([ack('a', 1)], manifests), { acknowledged: 1, lost: [], countedTwice: [] });
});

test('nothing is said of updates whose round is not published, nor of updates whose acknowledgement was not heard', () => {
  const audit = auditUpdates([ack('a', 2)], [manifest(1, update('b'))]);
  assert.deepEqual(audit, { acknowledged: 0, lost: [], countedTwice: [] });
});

test('a manifest that the bucket lacks is told by its name', async () => {
  const store = createMemoryObjectStore();
  const { signal } = new AbortController();
  await assert.rejects(
    readManifests(store, { runId: 'r', rounds: [0, 1] }, signal),
    /the bucket has no runs\/r\/rounds\/000001\/manifest\.json, though round 1 is published/,
  );
});
