import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manifestObjectName, type RoundState, type RunSpec, specObjectName, step } from '@flexlora/core';
import { type Clock, silentLogger } from '@flexlora/runtime';
import { createMemoryObjectStore, type ObjectStore } from '@flexlora/stores';
import { LOOK_AHEAD_MS_MAX } from '../limits.ts';
import { lookAhead } from './look-ahead.ts';

const spec = {
  runId: 'toy',
  baseModel: { name: 'Toy', digest: 'ab'.repeat(32) },
  modules: [{ name: 'q', out: 4, in: 3, rankGroup: 'attention' }],
  rank: { min: 1, max: 2, tiers: [2], policy: 'uniform' },
  rounds: 2,
  cohort: { goal: 1, minimum: 1, overSelection: 1, late: 'refuse' },
  timing: { collectingMs: 1_000, taskLeaseMs: 1_000, agentReadyMs: 1_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 2, scaling: 'constant' },
  strategy: 'flexlora',
  svdSplit: 'b',
  aggregation: { tolerance: 1.001 },
  seed: 1,
  origin: null,
} as unknown as RunSpec;
const created = step(null, { kind: 'runCreated', atMs: 1, spec }).state!;
const cancelled = step(created, { kind: 'cancelRequested', atMs: 2, reason: 'enough' }).state!;
const forever = new AbortController().signal;
const never = (): never => assert.fail('nothing is late');

/** A bucket with the manifest of round 0, and what it was asked. */
async function bucket(change: Partial<ObjectStore> = {}) {
  const store = createMemoryObjectStore();
  await store.put(specObjectName(spec.runId), Buffer.from(JSON.stringify(spec)));
  const manifest = { version: 1, runId: spec.runId, round: 0, ledger: null, updates: [], objects: [] };
  await store.put(manifestObjectName(spec.runId, 0), Buffer.from(JSON.stringify(manifest)));
  let asked = 0;
  const objectStore: ObjectStore = {
    ...store,
    head: (...words) => {
      asked += 1;
      return store.head(...words);
    },
    ...change,
  };
  return { objectStore, asked: () => asked };
}

const look = (objectStore: ObjectStore, state: RoundState, clock: Clock, late: (missed: unknown) => void = never) =>
  lookAhead({ objectStore, clock, random: () => 0.5, logger: silentLogger }, state, forever, late);

/** A time that never comes. */
const patient: Clock = { nowMs: () => 5, sleep: () => new Promise(() => {}) };

test('a state that is behind hears of the rounds that it lacks', async () => {
  const missed = await look((await bucket()).objectStore, created, patient);
  assert.ok(missed?.kind === 'runRecovered');
  assert.deepEqual(
    missed.published.map(({ round }) => round),
    [0],
  );
  const { state } = step(created, missed);
  assert.deepEqual([state!.round, state!.phase.kind], [1, 'recruiting']);
});

test('what an operator ended stays ended, though a manifest came to stand, and costs no request', async () => {
  const { objectStore, asked } = await bucket();
  assert.equal(await look(objectStore, cancelled, patient), null);
  assert.equal(asked(), 0);
  const missed = await look(objectStore, created, patient);
  const { state } = step(cancelled, missed!);
  assert.equal(state, cancelled);
});

test('an object store that takes its time keeps no run from its holder, and is heard when it answers', async () => {
  const answered = Promise.withResolvers<void>();
  const { objectStore } = await bucket();
  const slow: ObjectStore = {
    ...objectStore,
    head: async (...words) => {
      await answered.promise;
      return objectStore.head(...words);
    },
  };
  const waits: number[] = [];
  const clock: Clock = {
    nowMs: () => 5,
    sleep: async (ms) => {
      waits.push(ms);
    },
  };
  const late = Promise.withResolvers<unknown>();
  assert.equal(await look(slow, created, clock, late.resolve), null);
  assert.deepEqual(waits, [LOOK_AHEAD_MS_MAX]);
  answered.resolve();
  assert.equal(((await late.promise) as { kind: string }).kind, 'runRecovered');
});
