import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreSignal } from '../port.ts';
import { batch, event, type OpenRoundStoreHarness, type Scene, scene } from './scene.ts';

/** Everything that is heard, and a way to wait until something is. */
async function hear(store: Scene['store']) {
  const heard: StoreSignal[] = [];
  const unsubscribe = await store.subscribe((signal) => {
    heard.push(signal);
  });
  return { heard, unsubscribe };
}

export function signalTests(openHarness: OpenRoundStoreHarness): void {
  const play = scene(openHarness);

  test(
    'offers and commits of all runs are heard by every client',
    play(async ({ store, other, runId, newRun, lease, until }) => {
      const second = await newRun();
      const listening = [await hear(store), await hear(other)];
      await store.offer(runId, event('e1'));
      await other.offer(second, event('e1'));
      await store.commit(await lease(), batch(0, { consumed: 1 }));
      for (const { heard } of listening) {
        const ours = (): StoreSignal[] => heard.filter((signal) => [runId, second].includes(signal.runId));
        await until('three signals are heard', async () => ours().length >= 3);
        const byRun = (id: string): StoreSignal[] => ours().filter((signal) => signal.runId === id);
        assert.deepEqual(byRun(runId), [
          { kind: 'offered', runId },
          { kind: 'committed', runId, version: 1 },
        ]);
        assert.deepEqual(byRun(second), [{ kind: 'offered', runId: second }]);
      }
    }),
  );

  test(
    'what changed nothing is not signalled',
    play(async ({ store, other, runId, lease, until }) => {
      const held = await lease();
      await store.offer(runId, event('e1'));
      const { heard } = await hear(other);
      await store.offer(runId, event('e1'));
      await store.commit(held, batch(7));
      await store.commit(held, batch(0));
      const ours = (): StoreSignal[] => heard.filter((signal) => signal.runId === runId);
      await until('the commit is heard', async () => ours().some(({ kind }) => kind === 'committed'));
      // The signal of the offer before may still have been on its way when the listener came.
      assert.deepEqual(
        ours().filter(({ kind }) => kind === 'committed'),
        [{ kind: 'committed', runId, version: 1 }],
      );
      assert.ok(ours().length <= 2);
    }),
  );

  test(
    'a lease that is given back is heard, one that is lost is not',
    play(async ({ store, other, runId, lease, until }) => {
      const { heard } = await hear(other);
      const ours = (): StoreSignal[] => heard.filter((signal) => signal.runId === runId);
      const held = await lease();
      await store.releaseLease(held);
      await store.releaseLease(held);
      await store.offer(runId, event('e1'));
      await until('the offer is heard', async () => ours().some(({ kind }) => kind === 'offered'));
      assert.deepEqual(ours(), [
        { kind: 'released', runId },
        { kind: 'offered', runId },
      ]);
    }),
  );

  test(
    'who unsubscribed hears nothing more, others do',
    play(async ({ store, runId, until }) => {
      const [gone, stays] = [await hear(store), await hear(store)];
      gone.unsubscribe();
      gone.unsubscribe();
      await store.offer(runId, event('e1'));
      await until('the other hears it', async () => stays.heard.some((signal) => signal.runId === runId));
      assert.ok(!gone.heard.some((signal) => signal.runId === runId));
    }),
  );

  test(
    'one listener that subscribed twice hears twice, until each is unsubscribed',
    play(async ({ store, runId, until }) => {
      let heard = 0;
      const listener = (signal: StoreSignal): void => {
        if (signal.runId === runId) heard += 1;
      };
      const unsubscribeFirst = await store.subscribe(listener);
      await store.subscribe(listener);
      await store.offer(runId, event('e1'));
      await until('both hear', async () => heard === 2);
      unsubscribeFirst();
      await store.offer(runId, event('e2'));
      await until('one hears', async () => heard === 3);
    }),
  );
}
