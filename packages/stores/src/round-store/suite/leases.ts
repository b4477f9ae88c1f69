import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Lease, leaseOf } from '../port.ts';
import { batch, LONG_MS, type OpenRoundStoreHarness, SHORT_MS, scene } from './scene.ts';

export function leaseTests(openHarness: OpenRoundStoreHarness): void {
  const play = scene(openHarness);

  test(
    'of many that ask for a lease at once exactly one gets it',
    play(async ({ store, other, runId }) => {
      const grants = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? store : other).acquireLease(runId, `holder-${i}`, LONG_MS)),
      );
      const leases = grants.map(leaseOf);
      const [lease, ...more] = leases.filter((each) => each !== null);
      assert.equal(more.length, 0);
      assert.equal(lease?.runId, runId);
      assert.equal(lease?.epoch, 1);
      assert.equal(leases[Number(lease?.holder.split('-')[1])], lease);
    }),
  );

  test(
    'a held lease is granted to nobody, not to its holder either',
    play(async ({ store, runId, lease }) => {
      const held = await lease();
      assert.equal(leaseOf(await store.acquireLease(runId, 'other', LONG_MS)), null);
      const answer = await store.acquireLease(runId, held.holder, LONG_MS);
      assert.ok(answer.kind === 'held' && answer.forMs > 0 && answer.forMs <= LONG_MS, JSON.stringify(answer));
    }),
  );

  test(
    'leases of different runs are independent',
    play(async ({ newRun, lease }) => {
      const [first, second] = [await lease(await newRun()), await lease(await newRun())];
      assert.notEqual(first.runId, second.runId);
    }),
  );

  test(
    'a released lease is granted again at once, with a larger epoch',
    play(async ({ store, other, runId, lease }) => {
      let before = await lease();
      for (let turn = 0; turn < 5; turn += 1) {
        await store.releaseLease(before);
        const after = leaseOf(await other.acquireLease(runId, `holder-${turn}`, LONG_MS));
        assert.ok(after !== null && after.epoch > before.epoch);
        before = after;
      }
    }),
  );

  test(
    'a lease that ran out is granted to another, and its old epoch can do nothing any more',
    play(async ({ store, other, runId, until, shortLease }) => {
      const put = new Map([['by', 'old']]);
      const old = await shortLease(
        runId,
        'old',
        async (lease) => (await store.commit(lease, batch(0, { put }))) === 'committed',
      );

      let taken: Lease | null = null;
      await until('the lease ran out', async () => {
        taken = leaseOf(await other.acquireLease(runId, 'new', LONG_MS));
        return taken !== null;
      });
      const current = taken as unknown as Lease;
      assert.ok(current.epoch > old.epoch);

      assert.equal(await store.commit(old, batch(1, { put: new Map([['by', 'old again']]) })), 'fenced');
      assert.equal(await store.renewLease(old, LONG_MS), false);
      await store.releaseLease(old);
      assert.equal(
        leaseOf(await store.acquireLease(runId, 'third', LONG_MS)),
        null,
        'the old holder cannot release the new lease',
      );
      assert.equal(await other.commit(current, batch(1)), 'committed');
      assert.deepEqual(await store.readFields(runId, ['by']), { version: 2, values: ['old'] });
    }),
  );

  test(
    'a holder whose lease ran out is fenced although nobody took it',
    play(async ({ store, runId, until, shortLease }) => {
      let version = 0;
      const lease = await shortLease(runId, 'paused', async (held) => {
        const answer = await store.commit(held, batch(0, { put: new Map([['n', '1']]) }));
        if (answer === 'committed') version = 1;
        return answer === 'committed';
      });
      await until('commits are fenced', async () => {
        const answer = await store.commit(lease, batch(version, { put: new Map([['n', `${version + 1}`]]) }));
        if (answer === 'committed') version += 1;
        return answer === 'fenced';
      });
      assert.equal(await store.renewLease(lease, LONG_MS), false, 'a lost lease does not come back');
      assert.equal(await store.commit(lease, batch(version)), 'fenced');
      assert.deepEqual(await store.readFields(runId, ['n']), { version, values: [`${version}`] });
      assert.equal(leaseOf(await store.acquireLease(runId, 'paused', LONG_MS))?.epoch, lease.epoch + 1);
    }),
  );

  test(
    'a renewed lease outlives its first time',
    play(async ({ store, runId, newRun, until, shortLease }) => {
      const lease = await shortLease(runId, 'a', (held) => store.renewLease(held, LONG_MS));
      // Another lease of the same length, taken later, shows that the time has passed.
      const witness = await newRun();
      assert.ok(leaseOf(await store.acquireLease(witness, 'w', SHORT_MS)) !== null);
      await until('the witness ran out', async () => leaseOf(await store.acquireLease(witness, 'w', LONG_MS)) !== null);

      assert.equal(leaseOf(await store.acquireLease(runId, 'b', LONG_MS)), null);
      assert.equal(await store.renewLease(lease, LONG_MS), true);
      assert.equal(await store.commit(lease, batch(0)), 'committed');
    }),
  );

  test(
    'a lease with the right epoch and another holder is not the lease',
    play(async ({ store, lease }) => {
      const held = await lease();
      const forged = { ...held, holder: 'somebody-else' };
      assert.equal(await store.renewLease(forged, LONG_MS), false);
      assert.equal(await store.commit(forged, batch(0)), 'fenced');
      await store.releaseLease(forged);
      assert.equal(await store.renewLease(held, LONG_MS), true);
    }),
  );

  test(
    'giving back a lease twice, or one that is lost, is no fault',
    play(async ({ store, runId, lease }) => {
      const held = await lease();
      await store.releaseLease(held);
      await store.releaseLease(held);
      assert.equal(await store.renewLease(held, LONG_MS), false);
      assert.equal(await store.commit(held, batch(0)), 'fenced');
      assert.equal(await store.readState(runId), null);
    }),
  );

  test(
    'holders and times out of range are stopped before they reach the store',
    play(async ({ store, runId, lease }) => {
      await assert.rejects(store.acquireLease(runId, 'two\nlines', LONG_MS), RangeError);
      await assert.rejects(store.acquireLease(runId, 'a', 0), RangeError);
      await assert.rejects(store.renewLease(await lease(), 0.5), RangeError);
    }),
  );
}
