import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentId, HEAD_FIELD, memberField, type RunId } from '@flexlora/core';
import { silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryRoundStore, leaseOf, type RoundStore } from '@flexlora/stores';
import { BEGINNING_SHARE_MAX, HANDOUTS_AT_ONCE, HANDOUTS_EVERY_MS } from './limits.ts';
import { createRunOccasions } from './run-occasions.ts';
import type { RunHeadView, RunReader } from './run-reader.ts';
import { createRunSignals } from './run-signals.ts';

const RUN = 'toy' as RunId;
const LONG_MS = 60_000;
/** Three turns of agents begin, and then the first again. */
const COLLECTING_MS = (3 * HANDOUTS_EVERY_MS) / BEGINNING_SHARE_MAX;
const agentOf = (n: number): AgentId => `agent-${n}` as AgentId;
const headOf = (kind: string, sinceMs: number): RunHeadView =>
  ({
    version: 1,
    round: 1,
    phase: { kind, sinceMs },
    paused: null,
    agents: {},
    spec: { timing: { collectingMs: COLLECTING_MS } },
  }) as unknown as RunHeadView;
const member = { assignment: { round: 1, ranks: {} }, progress: { kind: 'assigned' } };

/** A store with one run whose lease the test holds; the reads of more than a head are counted. */
async function start(first: RunHeadView) {
  const store = createMemoryRoundStore({ now: systemClock.nowMs });
  await store.createRun(RUN);
  const lease = leaseOf(await store.acquireLease(RUN, 'test', LONG_MS));
  assert.ok(lease !== null);
  const counts = { heads: 0, memberReads: 0, fields: 0 };
  const roundStore: RoundStore = {
    ...store,
    readFields: (runId, fields) => {
      counts.memberReads += 1;
      counts.fields += fields.length;
      return store.readFields(runId, fields);
    },
  };
  const signals = await createRunSignals({ roundStore: store, clock: systemClock });
  const stopping = new AbortController();
  let head = first;
  const readHead = async (): Promise<RunHeadView> => {
    counts.heads += 1;
    return head;
  };
  const occasions = createRunOccasions({
    roundStore,
    reader: { readHead } as unknown as RunReader,
    signals,
    clock: systemClock,
    logger: silentLogger,
    stopping: stopping.signal,
  });
  let version = 0;
  const commit = async (next: RunHeadView, members: readonly AgentId[]): Promise<void> => {
    head = next;
    const put = new Map([[HEAD_FIELD, JSON.stringify(next)]]);
    for (const agentId of members) put.set(memberField(agentId), JSON.stringify(member));
    const batch = { expectedVersion: version, put, drop: [], consumed: 0, replies: [] };
    assert.equal(await store.commit(lease, batch), 'committed');
    version += 1;
  };
  const stop = (): void => {
    stopping.abort(new Error('the test ends'));
    signals.close();
  };
  return { occasions, counts, commit, stop };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a hand-out wakes its members alone, and costs one read for all who wait', async () => {
  const { occasions, counts, commit, stop } = await start(headOf('recruiting', 1));
  let woken = 0;
  const waits = Array.from({ length: 500 }, async (_, n) => {
    const news = await occasions.enter(RUN, agentOf(n)).wait(LONG_MS);
    if (news !== null) woken += 1;
    return news;
  });
  await turn();
  await commit(headOf('collecting', 2), [agentOf(3), agentOf(400)]);
  const told = await Promise.all([waits[3], waits[400]]);
  assert.deepEqual(
    told.map((news) => news?.member?.progress.kind),
    ['assigned', 'assigned'],
  );
  await turn();
  assert.equal(woken, 2);
  assert.deepEqual([counts.memberReads, counts.fields], [1, 501]);
  stop();
  await Promise.all(waits);
});

test('of those who wait when a round begins some begin at once, and the others are told when, early in the round', async () => {
  const { occasions, commit, stop } = await start(headOf('recruiting', 1));
  const agents = Array.from({ length: 3 * HANDOUTS_AT_ONCE + 2 }, (_, n) => agentOf(n));
  const waits = agents.map((agentId) => occasions.enter(RUN, agentId).wait(LONG_MS));
  await turn();
  await commit(headOf('collecting', 2), agents);
  const told = await Promise.all(waits);
  const begin = (afterMs: number): number => told.filter((news) => news?.afterMs === afterMs).length;
  assert.deepEqual(
    [begin(0), begin(HANDOUTS_EVERY_MS), begin(2 * HANDOUTS_EVERY_MS)],
    [HANDOUTS_AT_ONCE + 2, HANDOUTS_AT_ONCE, HANDOUTS_AT_ONCE],
  );
  stop();
});

test('a commit that hands nothing out wakes nobody and reads no member', async () => {
  const { occasions, counts, commit, stop } = await start(headOf('collecting', 1));
  let ended = false;
  const wait = occasions.enter(RUN, agentOf(0)).wait(LONG_MS);
  void wait.then(() => {
    ended = true;
  });
  await turn();
  assert.equal(counts.memberReads, 1);
  const seen = counts.heads;
  await commit(headOf('collecting', 1), [agentOf(1)]);
  while (counts.heads === seen) await turn();
  await turn();
  assert.deepEqual([ended, counts.memberReads], [false, 1]);
  stop();
  // A stop wakes everybody without news.
  assert.equal(await wait, null);
});

test('the end of a run is told to all, and then it is read no more, until somebody waits again', async () => {
  const { occasions, counts, stop } = await start(headOf('settled', 5));
  const seats = [occasions.enter(RUN, agentOf(0)), occasions.enter(RUN, agentOf(1))];
  const told = await Promise.all(seats.map((seat) => seat.wait(LONG_MS)));
  assert.deepEqual(
    told.map((news) => news?.head.phase.kind),
    ['settled', 'settled'],
  );
  await turn();
  assert.deepEqual([counts.heads, seats[0]?.isServed()], [1, false]);
  assert.equal((await occasions.enter(RUN, agentOf(0)).wait(LONG_MS))?.head.phase.kind, 'settled');
  assert.equal(counts.heads, 2);
  stop();
});

test('a run for which nobody waits any more is followed no further', async () => {
  const { occasions, counts, commit, stop } = await start(headOf('recruiting', 1));
  const seat = occasions.enter(RUN, agentOf(0));
  await turn();
  seat.leave();
  await commit(headOf('recruiting', 1), []);
  while (seat.isServed()) await turn();
  assert.equal(counts.heads, 1);
  stop();
});
