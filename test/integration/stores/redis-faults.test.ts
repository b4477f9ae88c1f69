import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventId, RunId } from '@flexlora/core';
import { type CommitBatch, createRedisRoundStore, leaseOf, type RoundStore, RoundStoreFault } from '@flexlora/stores';
import { type RedisServer, startRedis } from '../../harness/containers/redis-server.ts';
import { openFaultProxy } from '../../harness/proxy/fault-proxy.ts';

const LEASE_MS = 10 * 60_000;

const redis = await startRedis({ use: 'own' });
if ('skip' in redis) {
  test('round store: faults of Redis', { skip: redis.skip }, () => {});
} else {
  after(() => redis.stop());
  describe('round store: faults of Redis', { timeout: 120_000 }, () => faultTests(redis));
}

function faultTests(redis: RedisServer): void {
  const batch = (expectedVersion: number, changes: Partial<CommitBatch> = {}): CommitBatch => ({
    expectedVersion,
    put: new Map([['head', `${expectedVersion + 1}`]]),
    drop: [],
    consumed: 0,
    replies: [],
    ...changes,
  });

  /** A store that would wait for ten minutes: what faults here does so because the connection is lost, not because time passed. */
  async function withRun(play: (store: RoundStore, runId: RunId) => Promise<void>, port = redis.port): Promise<void> {
    const store = createRedisRoundStore({ url: `redis://127.0.0.1:${port}`, commandTimeoutMs: 600_000 });
    try {
      const runId = `faults-${randomUUID()}` as RunId;
      await store.createRun(runId);
      await play(store, runId);
    } finally {
      await store.close();
    }
  }

  const faultsWith = (pattern: RegExp) => (error: unknown) => {
    assert.ok(error instanceof RoundStoreFault, `a RoundStoreFault, not ${error}`);
    assert.match(error.message, pattern);
    assert.ok(error.cause instanceof Error, 'it carries its cause');
    return true;
  };

  async function eventually<T>(what: string, ask: () => Promise<T | false>): Promise<T> {
    for (let poll = 0; poll < 1_500; poll += 1) {
      const answer = await ask();
      if (answer !== false) return answer;
      await delay(20);
    }
    return assert.fail(`never came true: ${what}`);
  }

  test('while Redis is down every call faults, and afterwards everything is as it was committed', () =>
    withRun(async (store, runId) => {
      let heard = 0;
      await store.subscribe((signal) => {
        if (signal.runId === runId) heard += 1;
      });
      const lease = leaseOf(await store.acquireLease(runId, 'a', LEASE_MS));
      assert.ok(lease !== null);
      for (const id of ['e1', 'e2', 'e3']) await store.offer(runId, { eventId: id as EventId, body: id });
      const replies = [{ eventId: 'e1' as EventId, body: 'yes' }];
      assert.equal(await store.commit(lease, batch(0, { consumed: 1, replies })), 'committed');
      await eventually('signals are heard', async () => heard >= 4);

      const inFlight = Promise.allSettled(
        Array.from({ length: 2_000 }, (_, i) => store.offer(runId, { eventId: `late-${i}` as EventId, body: '' })),
      );
      await redis.kill();
      const acknowledged = (await inFlight).flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []));

      const calls: Record<string, () => Promise<unknown>> = {
        createRun: () => store.createRun(runId),
        listRuns: () => store.listRuns(),
        acquireLease: () => store.acquireLease(runId, 'b', LEASE_MS),
        renewLease: () => store.renewLease(lease, LEASE_MS),
        releaseLease: () => store.releaseLease(lease),
        offer: () => store.offer(runId, { eventId: 'e9' as EventId, body: '' }),
        readInbox: () => store.readInbox(runId, 1),
        readReply: () => store.readReply(runId, 'e1' as EventId),
        readState: () => store.readState(runId),
        readFields: () => store.readFields(runId, ['head']),
        commit: () => store.commit(lease, batch(1)),
        checkReady: () => store.checkReady(),
      };
      await Promise.all(
        Object.values(calls).map((call) => assert.rejects(call, faultsWith(/ECONNREFUSED|connection|connect/i))),
      );

      await redis.restart();
      await eventually('the store is ready again', () =>
        store.checkReady().then(
          () => true,
          () => false,
        ),
      );
      assert.deepEqual(await store.readState(runId), { version: 1, fields: new Map([['head', '1']]) });
      assert.equal(await store.readReply(runId, 'e1' as EventId), 'yes');
      const inbox = new Set((await store.readInbox(runId, 50_000)).map(({ eventId }) => `${eventId}`));
      for (const i of acknowledged) assert.ok(inbox.has(`late-${i}`), `acknowledged event late-${i} is kept`);
      assert.ok(inbox.has('e2') && inbox.has('e3') && !inbox.has('e1'));
      assert.equal(await store.offer(runId, { eventId: 'e2' as EventId, body: '' }), 'repeated');

      assert.equal(leaseOf(await store.acquireLease(runId, 'b', LEASE_MS)), null, 'the lease is still held');
      await store.releaseLease(lease);
      const next = leaseOf(await store.acquireLease(runId, 'b', LEASE_MS));
      assert.equal(next?.epoch, lease.epoch + 1);
      assert.equal(await store.commit(lease, batch(1)), 'fenced');
      assert.equal(await store.commit(next, batch(1)), 'committed');

      heard = 0;
      let probe = 0;
      await eventually('the old subscription hears again', async () => {
        probe += 1;
        await store.offer(runId, { eventId: `probe-${probe}` as EventId, body: '' });
        return heard > 0;
      });
    }));

  test('a commit whose answer was lost faults, was done, and is not done again', async (t) => {
    const proxy = await openFaultProxy(redis.port);
    t.after(() => proxy.close());
    await withRun(async (store, runId) => {
      const lease = leaseOf(await store.acquireLease(runId, 'a', LEASE_MS));
      assert.ok(lease !== null);
      proxy.loseNextAnswer();
      await assert.rejects(store.commit(lease, batch(0)), faultsWith(/unknown: read before you repeat/));
      assert.deepEqual(await store.readFields(runId, ['head']), { version: 1, values: ['1'] });
      assert.equal(await store.commit(lease, batch(0)), 'fenced', 'the same batch again');
      assert.equal(await store.commit(lease, batch(1)), 'committed');
    }, proxy.port);
  });

  test('a Redis that does not answer faults by its time limit, and the next calls use a new connection', async (t) => {
    const proxy = await openFaultProxy(redis.port);
    t.after(() => proxy.close());
    const store = createRedisRoundStore({ url: `redis://127.0.0.1:${proxy.port}`, commandTimeoutMs: 200 });
    await store.listRuns();
    proxy.freezeConnections();
    await assert.rejects(store.listRuns(), faultsWith(/timed out.*unknown: read before you repeat/));
    await eventually('answers again', () =>
      store.listRuns().then(
        () => true,
        () => false,
      ),
    );
    await store.close();
  });

  test('where nothing listens, calls and subscriptions fault with what to check', async () => {
    const proxy = await openFaultProxy(redis.port);
    await proxy.close();
    const store = createRedisRoundStore({ url: `redis://127.0.0.1:${proxy.port}`, connectionWaitMs: 50 });
    await assert.rejects(store.listRuns(), faultsWith(/ECONNREFUSED.*check that Redis runs/));
    await assert.rejects(
      store.subscribe(() => {}),
      faultsWith(/ECONNREFUSED/),
    );
    await store.close();
    await assert.rejects(store.listRuns(), /this round store is closed/);
  });

  test('a wrong password says so', async () => {
    const store = createRedisRoundStore({ url: `redis://nobody:wrong@127.0.0.1:${redis.port}`, connectionWaitMs: 200 });
    await assert.rejects(store.listRuns(), faultsWith(/WRONGPASS.*check user and password/));
    await store.close();
  });

  test('a full Redis refuses a commit whole', () =>
    withRun(async (store, runId) => {
      const lease = leaseOf(await store.acquireLease(runId, 'a', LEASE_MS));
      assert.ok(lease !== null);
      assert.equal(await store.commit(lease, batch(0)), 'committed');
      await command(redis.port, 'CONFIG SET maxmemory 1');
      await assert.rejects(store.commit(lease, batch(1)), faultsWith(/OOM.*more memory/));
      await assert.rejects(store.offer(runId, { eventId: 'e' as EventId, body: '' }), faultsWith(/OOM/));
      await command(redis.port, 'CONFIG SET maxmemory 0');
      assert.deepEqual(await store.readState(runId), { version: 1, fields: new Map([['head', '1']]) });
      assert.deepEqual(await store.readInbox(runId, 10), []);
      assert.equal(await store.offer(runId, { eventId: 'e' as EventId, body: '' }), 'queued');
    }));

  test('more calls at once than the limit fault at once, and the others are answered', () =>
    withRun(async (store) => {
      const outcomes = await Promise.allSettled(Array.from({ length: 20_001 }, () => store.listRuns()));
      const rejected = outcomes.filter((outcome) => outcome.status === 'rejected');
      assert.equal(rejected.length, 1);
      assert.match(`${rejected[0]?.reason}`, /20000 calls wait.*allowed: 20000/);
      assert.ok((await store.listRuns()).length > 0);
    }));

  test('a Redis that evicts is not ready; one without appendonly is, with one warning', async () => {
    const warnings: string[] = [];
    const store = createRedisRoundStore({ url: redis.url, onWarning: (warning) => warnings.push(warning) });
    await store.checkReady();
    assert.deepEqual(warnings, []);

    await command(redis.port, 'CONFIG SET maxmemory-policy allkeys-lru');
    await assert.rejects(store.checkReady(), /allkeys-lru.*set "maxmemory-policy noeviction"/);
    await command(redis.port, 'CONFIG SET maxmemory-policy noeviction');

    await command(redis.port, 'CONFIG SET appendonly no');
    await store.checkReady();
    await store.checkReady();
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /appendonly yes/);
    await command(redis.port, 'CONFIG SET appendonly yes');
    await store.close();
  });
}

/** One administrative command, as text. */
async function command(port: number, text: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${text}\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  assert.equal(answer.toString(), '+OK\r\n');
}
