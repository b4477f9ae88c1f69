import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  documentOf,
  ledgerObjectName,
  planAggregation,
  type RoundEffect,
  type RoundState,
  type RunSpec,
  specObjectName,
  step,
} from '@flexlora/core';
import { createMemoryObjectStore } from '@flexlora/stores';
import { performEffect } from './effects.ts';

const forever = new AbortController().signal;
const spec = {
  runId: 'toy',
  baseModel: { name: 'Toy', digest: 'ab'.repeat(32) },
  modules: [{ name: 'q', out: 4, in: 3, rankGroup: 'attention' }],
  rank: { min: 1, max: 2, tiers: [2], policy: 'uniform' },
  rounds: 1,
  cohort: { goal: 1, minimum: 1, overSelection: 1 },
  timing: { collectingMs: 1_000, taskLeaseMs: 1_000, agentReadyMs: 1_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 2, scaling: 'constant' },
  strategy: 'flexlora',
  svdSplit: 'b',
  aggregation: { tolerance: 1.001 },
  seed: 1,
} as unknown as RunSpec;

/** A run just created: its specification and the ledger of round 0 are to be written. */
function created(): { readonly state: RoundState; readonly emitted: readonly RoundEffect[] } {
  const { state, emitted } = step(null, { kind: 'runCreated', atMs: 1, spec });
  assert.ok(state !== null);
  return { state, emitted };
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('performing an effect again writes the same bytes, and the outcome names them by their digest', async () => {
  const store = createMemoryObjectStore();
  const { state, emitted } = created();
  assert.deepEqual(emitted.map(({ kind }) => kind).sort(), ['writeLedger', 'writeSpec']);
  const ledger = emitted.find(({ kind }) => kind === 'writeLedger')!;
  const outcomes = [
    await performEffect(store, state, ledger, forever),
    await performEffect(store, state, ledger, forever),
  ];
  const bytes = await store.get(ledgerObjectName(spec.runId, 0));
  const expected = {
    kind: 'ledgerWritten',
    ledger: { objectName: ledgerObjectName(spec.runId, 0), digest: digestOf(bytes!) },
  };
  assert.deepEqual(outcomes, [expected, expected]);
  await performEffect(store, state, emitted.find(({ kind }) => kind === 'writeSpec')!, forever);
  assert.deepEqual(JSON.parse(Buffer.from((await store.get(specObjectName(spec.runId)))!).toString()), spec);
});

test('a document of another state is not written over, and the fault says what to do', async () => {
  const store = createMemoryObjectStore();
  const { state, emitted } = created();
  const other = Buffer.from('{"acknowledged":"updates"}');
  for (const effect of emitted) {
    const { objectName } = documentOf(state, effect)!;
    await store.put(objectName, other);
    await assert.rejects(performEffect(store, state, effect, forever), /Delete the run's keys from the round store/);
    assert.deepEqual(Buffer.from((await store.get(objectName))!), other);
  }
});

function publishing(): RoundState {
  const { state } = created();
  return {
    ...state,
    phase: {
      kind: 'aggregating',
      sinceMs: 1,
      stage: { kind: 'publishing', ledger: { objectName: 'ledger', digest: 'cd'.repeat(32) as never } },
    },
    tasks: new Map(
      planAggregation(spec).map(({ taskId, modules }) => [
        taskId,
        { modules, attempt: 1, claimId: '0badcafe', failures: [], lapses: [], progress, lastFailure: null },
      ]),
    ),
  };
}

test('a manifest of another ledger is neither adopted nor written over', async () => {
  const store = createMemoryObjectStore();
  const effect: RoundEffect = { kind: 'publishManifest', round: 0 };
  const { objectName } = documentOf(publishing(), effect)!;
  for (const earlier of ['{"ledger":{"digest":"00"}}', '{ cut off']) {
    await store.put(objectName, Buffer.from(earlier));
    await assert.rejects(performEffect(store, publishing(), effect, forever), /made of the ledger 00|is damaged/);
    assert.equal(Buffer.from((await store.get(objectName))!).toString(), earlier);
  }
});

test('a manifest that somebody published before of the same ledger is the truth', async () => {
  const store = createMemoryObjectStore();
  const effect: RoundEffect = { kind: 'publishManifest', round: 0 };
  const { objectName } = documentOf(publishing(), effect)!;
  const earlier = Buffer.from(
    JSON.stringify({ ledger: { digest: 'cd'.repeat(32) }, objects: [], updates: [], published: 'before' }),
  );
  await store.put(objectName, earlier);
  const outcome = await performEffect(store, publishing(), effect, forever);
  const empty = digestOf(Buffer.from('[]'));
  assert.deepEqual(outcome, {
    kind: 'manifestPublished',
    manifest: { objectName, digest: digestOf(earlier) },
    adapterDigest: empty,
    updatesDigest: empty,
  });
  assert.deepEqual(Buffer.from((await store.get(objectName))!), earlier);
});

const progress = {
  kind: 'done',
  result: { objectName: 'object', bytes: 1, digest: 'ef'.repeat(32) as never, componentDigests: [], modules: [] },
} as const;

test('an upload is deleted, and deleting it again is no fault', async () => {
  const store = createMemoryObjectStore();
  const { state } = created();
  await store.put('runs/toy/x.safetensors', Buffer.from('x'));
  const effect: RoundEffect = { kind: 'deleteUpload', objectName: 'runs/toy/x.safetensors' };
  await performEffect(store, state, effect, forever);
  assert.deepEqual(await performEffect(store, state, effect, forever), { kind: 'uploadDeleted' });
  assert.equal(await store.head('runs/toy/x.safetensors'), null);
});
