import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdapterManifest } from '@flexlora/core';
import { createFindings } from './findings.ts';
import type { ObjectWatch } from './object-watch.ts';
import { createReceiptWatch } from './receipt-watch.ts';

type Updates = readonly (readonly [agentId: string, digest: string])[];

function scene() {
  const findings = createFindings();
  const manifests = new Map<number, AdapterManifest>();
  const watch = createReceiptWatch({ manifests } as unknown as ObjectWatch, findings);
  const publish = (round: number, updates: Updates): void => {
    const listed = updates.map(([agentId, digest]) => ({ agentId, digest }));
    manifests.set(round, { updates: listed } as unknown as AdapterManifest);
  };
  return { findings, watch, publish };
}

test('an acknowledged update that its manifest does not list is found', () => {
  const { findings, watch, publish } = scene();
  watch.acknowledged({ agentId: 'a', round: 1, digest: 'aa' });
  watch.look();
  assert.deepEqual(findings.all, [], 'its round is still open');
  publish(1, [['b', 'bb']]);
  watch.look();
  assert.match(findings.all.join(), /agent a was told .* lists it 0 times/);
});

test('an update that is listed with other bytes was not taken', () => {
  const { findings, watch, publish } = scene();
  watch.acknowledged({ agentId: 'a', round: 1, digest: 'aa' });
  publish(1, [['a', 'other']]);
  watch.look();
  assert.equal(findings.all.length, 1);
});

test('an update in two rounds is found, though both receipts are right', () => {
  const { findings, watch, publish } = scene();
  publish(1, [['a', 'aa']]);
  publish(2, [['a', 'aa']]);
  watch.look();
  assert.match(findings.all.join(), /is in rounds 1 and 2/);
});

test('at the end every receipt has its manifest', () => {
  const { findings, watch, publish } = scene();
  watch.acknowledged({ agentId: 'a', round: 1, digest: 'aa' });
  watch.acknowledged({ agentId: 'a', round: 1, digest: 'aa' });
  publish(1, [['a', 'aa']]);
  watch.lookAtEnd();
  assert.deepEqual(findings.all, []);
  watch.acknowledged({ agentId: 'b', round: 2, digest: 'bb' });
  watch.lookAtEnd();
  assert.match(findings.all.join(), /agent b was told of round 2, which has no manifest/);
});
