import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdapterManifest, ManifestUpdate } from '@flexlora/core';
import { createMemoryObjectStore } from '@flexlora/stores';
import { auditUpdates, readManifests } from './audit.ts';

/** What an agent sends differs by agent and by what it trained in. */
const digestOf = (agentId: string, trainedIn: number): string => `${agentId}${trainedIn}`.padEnd(64, '0');
const update = (agentId: string, of: number, more: object = {}): ManifestUpdate =>
  ({ agentId, digest: digestOf(agentId, of), samples: 1, ranks: {}, ...more }) as unknown as ManifestUpdate;
const manifest = (
  round: number,
  ...updates: readonly ManifestUpdate[]
): Pick<AdapterManifest, 'round' | 'updates'> => ({
  round,
  updates,
});
const ack = (agentId: string, round: number, countsIn = round) => ({
  agentId,
  sha256: digestOf(agentId, round),
  countsIn,
});

test('an acknowledged update that stands in its round once is neither lost nor counted twice', () => {
  const manifests = [manifest(1, update('a', 1), update('b', 1)), manifest(2, update('a', 2))];
  const audit = auditUpdates([ack('a', 1), ack('b', 1), ack('a', 2)], manifests);
  assert.deepEqual(audit, { acknowledged: 3, lost: [], countedTwice: [] });
});

test('an acknowledged update that is in no manifest is lost, also when another one of its agent is there', () => {
  const manifests = [manifest(1, update('a', 1)), manifest(2, update('b', 2))];
  assert.deepEqual(auditUpdates([ack('a', 1), ack('b', 1)], manifests).lost, [ack('b', 1)]);
});

test('an update that stands in a round twice, or in two rounds, is counted twice', () => {
  const manifests = [
    manifest(1, update('a', 1), update('a', 1), update('b', 1)),
    manifest(2, update('b', 1, { trainedIn: 1 })),
  ];
  assert.deepEqual(auditUpdates([], manifests).countedTwice, [
    { agentId: 'a', trainedIn: 1 },
    { agentId: 'b', trainedIn: 1 },
  ]);
});

test('an update that was carried over counts in the round that its agent was told', () => {
  const manifests = [manifest(1), manifest(2, update('a', 1, { trainedIn: 1 }), update('b', 2))];
  const audit = auditUpdates([ack('a', 1, 2), ack('b', 2)], manifests);
  assert.deepEqual(audit, { acknowledged: 2, lost: [], countedTwice: [] });
});

test('nothing is said of updates whose round is not published, nor of updates whose acknowledgement was not heard', () => {
  const audit = auditUpdates([ack('a', 2)], [manifest(1, update('b', 1))]);
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
