import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventId, RunId } from '@flexlora/core';
import type { Lease, RoundStore } from '@flexlora/stores';
import { createRestorableRoundStore } from './restorable-round-store.ts';

const runId = 'run' as RunId;
const LEASE_MS = 5_000;

function scene() {
  let nowMs = 1_000_000;
  const results: string[] = [];
  const store = createRestorableRoundStore(() => nowMs, {
    committed: (_, result) => results.push(result),
    granted: ({ epoch }) => results.push(`granted ${epoch}`),
    renewed: () => results.push('renewed'),
    released: () => results.push('released'),
  });
  return {
    store,
    results,
    pass: (ms: number): void => {
      nowMs += ms;
    },
  };
}

async function granted(store: RoundStore, holder: string): Promise<Lease> {
  const answer = await store.acquireLease(runId, holder, LEASE_MS);
  assert.equal(answer.kind, 'granted');
  return (answer as Extract<typeof answer, { kind: 'granted' }>).lease;
}

const write = (store: RoundStore, lease: Lease, version: number, text: string) =>
  store.commit(lease, {
    expectedVersion: version,
    put: new Map([['field', text]]),
    drop: [],
    consumed: 0,
    replies: [],
  });

test('a rolled back store is as it was: state, inbox, lease and epoch', async () => {
  const { store, pass, results } = scene();
  await store.createRun(runId);
  const first = await granted(store, 'a');
  await write(store, first, 0, 'old');
  await store.offer(runId, { eventId: 'one' as EventId, body: '{}' });
  pass(1_000);
  await write(store, first, 1, 'new');
  await store.offer(runId, { eventId: 'two' as EventId, body: '{}' });
  store.rollBack(500);
  assert.deepEqual((await store.readFields(runId, ['field'])).values, ['old']);
  assert.deepEqual(
    (await store.readInbox(runId, 10)).map(({ eventId }) => eventId),
    ['one'],
  );
  assert.equal(await write(store, first, 1, 'newer'), 'committed');
  // The past that is done again is told to nobody.
  assert.deepEqual(results, ['granted 1', 'committed', 'committed', 'committed']);
});

test('a lost store is empty, and still told of to those who listen', async () => {
  const { store } = scene();
  const heard: string[] = [];
  await store.subscribe(({ kind }) => heard.push(kind));
  await store.createRun(runId);
  store.lose();
  assert.deepEqual(await store.listRuns(), []);
  await store.createRun(runId);
  await store.offer(runId, { eventId: 'one' as EventId, body: '{}' });
  assert.deepEqual(heard, ['offered']);
});

test('after a jump of the clock every lease is over, and its holder writes nothing any more', async () => {
  const { store } = scene();
  await store.createRun(runId);
  const first = await granted(store, 'a');
  store.jump(LEASE_MS);
  assert.equal(await write(store, first, 0, 'late'), 'fenced');
  const second = await granted(store, 'b');
  assert.ok(second.epoch > first.epoch);
  assert.equal(await write(store, second, 0, 'in time'), 'committed');
});
