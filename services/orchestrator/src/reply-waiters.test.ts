import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventId, RunId } from '@flexlora/core';
import { type Clock, systemClock } from '@flexlora/runtime';
import { createMemoryRoundStore, type Lease, leaseOf, type RoundStore } from '@flexlora/stores';
import { encodeReply } from './event-text.ts';
import { REPLY_POLL_MS } from './limits.ts';
import { createReplyWaiters } from './reply-waiters.ts';
import { createRunSignals } from './run-signals.ts';

const runId = 'run' as RunId;
const LONG_MS = 60_000;

/** A store with one run, whose lease the test holds, and a count of the replies that were read. */
async function start(clock: Clock = systemClock) {
  const store = createMemoryRoundStore({ now: systemClock.nowMs });
  let reads = 0;
  const roundStore: RoundStore = {
    ...store,
    readReply: (run, eventId) => {
      reads += 1;
      return store.readReply(run, eventId);
    },
  };
  await store.createRun(runId);
  const lease = leaseOf(await store.acquireLease(runId, 'test', LONG_MS));
  assert.ok(lease !== null);
  const signals = await createRunSignals({ roundStore: store, clock: systemClock });
  const waiters = createReplyWaiters({ roundStore, signals, clock });
  return { store, lease, waiters, reads: () => reads };
}

const idOf = (n: number): EventId => `event-${n}` as EventId;

async function offerAll(store: RoundStore, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await store.offer(runId, { eventId: idOf(n), body: '{}' });
}

/** Answers the events of the inbox's head, as a lease-holder does. */
async function commit(store: RoundStore, lease: Lease, version: number, count: number): Promise<void> {
  const events = await store.readInbox(runId, count);
  const replies = events.map(({ eventId }) => ({ eventId, body: encodeReply({ kind: 'done' }) }));
  const batch = { expectedVersion: version, put: new Map(), drop: [], consumed: events.length, replies };
  assert.equal(await store.commit(lease, batch), 'committed');
}

test('everyone who waits gets the reply, and a commit costs about as many reads as it answers', async () => {
  const { store, lease, waiters, reads } = await start();
  const count = 1_000;
  await offerAll(store, count);
  const replies = Array.from({ length: count }, (_, n) => waiters.wait(runId, idOf(n), LONG_MS));
  for (let version = 0; version < 10; version += 1) {
    const answered = replies.slice(version * 100, (version + 1) * 100);
    await commit(store, lease, version, 100);
    assert.deepEqual(
      await Promise.all(answered),
      answered.map(() => ({ kind: 'done' })),
    );
  }
  // One look when each began to wait, one that found its reply, and batches of which a part was too early.
  assert.ok(reads() <= count * 2 + 10 * 128, `${reads()} reads`);
});

test('a commit that answers nobody who waits here costs a few reads, however many wait', async () => {
  const { store, lease, waiters, reads } = await start();
  const [others, commits, waiting] = [20, 10, 200];
  await offerAll(store, others + waiting);
  const replies = Array.from({ length: waiting }, (_, n) => waiters.wait(runId, idOf(others + n), LONG_MS));
  await new Promise((resolve) => setImmediate(resolve));
  const before = reads();
  for (let version = 0; version < commits; version += 1) {
    await commit(store, lease, version, others / commits);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(reads() - before <= commits * 4, `${reads() - before} reads`);
  await commit(store, lease, commits, waiting);
  await Promise.all(replies);
});

test('who waits for what was lost holds up nobody, however often the run commits', async () => {
  let nowMs = 0;
  const { store, lease, waiters } = await start({ ...systemClock, nowMs: () => nowMs });
  const left = new AbortController();
  const lost = Array.from({ length: 100 }, (_, n) => waiters.wait(runId, idOf(n), LONG_MS, left.signal));
  await store.offer(runId, { eventId: idOf(100), body: '{}' });
  const reply = waiters.wait(runId, idOf(100), LONG_MS);
  await new Promise((resolve) => setImmediate(resolve));
  nowMs = REPLY_POLL_MS;
  await commit(store, lease, 0, 1);
  assert.deepEqual(await reply, { kind: 'done' });
  left.abort(new Error('enough'));
  await Promise.allSettled(lost);
});

test('the reply to an event that was answered before is there at once', async () => {
  const { store, lease, waiters } = await start();
  await offerAll(store, 1);
  await commit(store, lease, 0, 1);
  assert.deepEqual(await waiters.wait(runId, idOf(0), LONG_MS), { kind: 'done' });
});

test('a reply that does not come is null after its time, and one that nobody waits for any more is let go', async () => {
  const { store, waiters } = await start();
  await offerAll(store, 1);
  assert.equal(await waiters.wait(runId, idOf(0), 5), null);
  const call = new AbortController();
  const wait = waiters.wait(runId, idOf(0), LONG_MS, call.signal);
  call.abort(new Error('gone'));
  await assert.rejects(wait);
});
