import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, RunId } from '../../ids.ts';
import { exampleDigest, exampleSpec, exampleUpdate } from '../example-run.ts';
import { persistentMap } from '../persistent-map.ts';
import type { RoundEffect } from '../round-effect.ts';
import type { PublishedRound, RoundState } from '../round-state.ts';
import { step } from '../step.ts';
import type { AdapterManifest } from './adapter-manifest.ts';
import { adapterProof } from './adapter-proof.ts';
import { adapterDigestText } from './manifest-digests.ts';
import { republishedManifest, republishedSource } from './republished-manifest.ts';

const source = {
  version: 1,
  round: 3,
  updates: [{ agentId: 'ada' }],
  objects: [
    { taskId: 'attention-0', objectName: 'o', bytes: 8, digest: exampleDigest('o'), modules: moduleOf(80, 100, 0.1) },
    { taskId: 'attention-1', objectName: 'p', bytes: 8, digest: exampleDigest('p'), modules: moduleOf(99, 100, 0.3) },
    { taskId: 'attention-2', objectName: 'q', bytes: 8, digest: exampleDigest('q'), modules: moduleOf(0, 0, 0) },
  ],
} as unknown as AdapterManifest;
const origin = { runId: 'older' as RunId, round: 3, manifestDigest: exampleDigest('older-3') };
const created = step(null, { kind: 'runCreated', atMs: 0, spec: { ...exampleSpec, origin } }).state!;

function moduleOf(energyKept: number, energyTotal: number, residual: number) {
  return [{ energyKept, energyTotal, residual }];
}

test('a fork publishes the objects of its origin, as nobody’s sum', () => {
  const effect = { kind: 'publishFork' } satisfies RoundEffect;
  assert.deepEqual(republishedSource(created, effect), {
    objectName: 'runs/older/rounds/000003/manifest.json',
    digest: origin.manifestDigest,
  });
  const manifest = republishedManifest(created, effect, source, exampleDigest);
  assert.deepEqual(manifest, {
    version: 1,
    runId: exampleSpec.runId,
    round: 0,
    baseModelDigest: exampleSpec.baseModel.digest,
    ledger: null,
    updates: [],
    objects: source.objects,
    adapterDigest: exampleDigest(adapterDigestText(source.objects)),
    updatesDigest: exampleDigest('[]'),
    origin,
  });
});

test('a roll-back publishes the objects of an earlier round, and says what counts in the next', () => {
  const agentId = 'ada' as AgentId;
  const assignment = { round: 5, adapterVersion: 4, ranks: {}, reason: '', seed: 0, deadlineAtMs: 0, handout: 0 };
  const update = { ...exampleUpdate(exampleSpec, agentId, assignment, 'a'), trainedIn: 5 };
  const document = { objectName: 'm3', digest: exampleDigest('m3') };
  const state: RoundState = {
    ...created,
    round: 5,
    carried: persistentMap([[agentId, update]]),
    published: new Map([[3, { manifest: document } as PublishedRound]]),
  };
  const effect = { kind: 'publishRollback', round: 5, of: 3 } satisfies RoundEffect;
  assert.deepEqual(republishedSource(state, effect), document);
  const manifest = republishedManifest(state, effect, source, exampleDigest);
  assert.deepEqual([manifest.round, manifest.rolledBackTo, manifest.ledger, manifest.updates], [5, 3, null, []]);
  assert.deepEqual([manifest.objects, manifest.carried], [source.objects, [{ ...update, agentId }]]);
});

test('the proof of an adapter is that of its worst modules; no energy is nothing dropped', () => {
  const { energyDroppedMax, residualMax } = adapterProof(source);
  assert.ok(Math.abs(energyDroppedMax - 0.2) < 1e-12);
  assert.equal(residualMax, 0.3);
});
