import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventId, RunId } from '@flexlora/core';
import { leaseOf } from '../port.ts';
import { batch, event, LONG_MS, type OpenRoundStoreHarness, scene } from './scene.ts';

export function runTests(openHarness: OpenRoundStoreHarness): void {
  const play = scene(openHarness);

  test(
    'a run is created once, however many try at once, and is listed once',
    play(async ({ store, other, runId }) => {
      const fresh = `${runId}-b` as RunId;
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? store : other).createRun(fresh)),
      );
      assert.equal(answers.filter((answer) => answer === 'created').length, 1);
      assert.equal(await store.createRun(fresh), 'exists');
      const listed = (await other.listRuns()).filter((id) => id.startsWith(runId)).sort();
      assert.deepEqual(listed, [runId, fresh]);
    }),
  );

  test(
    'creating a run again keeps its state and its epochs',
    play(async ({ store, runId, lease }) => {
      const first = await lease();
      await store.commit(first, batch(0, { put: new Map([['head', 'x']]) }));
      assert.equal(await store.createRun(runId), 'exists');
      assert.equal((await store.readState(runId))?.fields.get('head'), 'x');
      await store.releaseLease(first);
      assert.equal(leaseOf(await store.acquireLease(runId, 'a', LONG_MS))?.epoch, first.epoch + 1);
    }),
  );

  test(
    'an unknown run takes nothing and shows nothing',
    play(async ({ store, runId }) => {
      const unknown = `${runId}-never` as RunId;
      assert.equal(await store.offer(unknown, event('e1')), 'unknownRun');
      assert.deepEqual(await store.acquireLease(unknown, 'a', LONG_MS), { kind: 'unknownRun' });
      const made = { runId: unknown, holder: 'a', epoch: 1 };
      assert.equal(await store.renewLease(made, LONG_MS), false);
      assert.equal(await store.commit(made, batch(0)), 'fenced');
      assert.deepEqual(await store.readInbox(unknown, 10), []);
      assert.equal(await store.readReply(unknown, 'e1' as EventId), null);
      assert.equal(await store.readState(unknown), null);
      assert.deepEqual(await store.readFields(unknown, ['head']), { version: 0, values: [null] });
      assert.ok(!(await store.listRuns()).includes(unknown));
      assert.equal(await store.createRun(unknown), 'created');
      assert.equal(await store.offer(unknown, event('e1')), 'queued', 'the refused offer left no trace');
    }),
  );

  test(
    'a store that is fit for work says so',
    play(async ({ store }) => {
      await store.checkReady();
    }),
  );
}
