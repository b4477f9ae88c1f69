import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventId } from '@flexlora/core';
import { batch, event, type OpenRoundStoreHarness, SHORT_MS, scene } from './scene.ts';

const reply = (id: string, body: string) => ({ eventId: id as EventId, body });

export function inboxTests(openHarness: OpenRoundStoreHarness): void {
  const play = scene(openHarness);
  const playSmall = scene(openHarness, { inboxEventsMax: 5 });
  const playForgetful = scene(openHarness, { replyTtlMs: SHORT_MS });

  test(
    'events are read oldest first, as they were offered',
    play(async ({ store, other, runId }) => {
      const bodies = ['', 'plain', 'two\nlines\r\n', '{"é":"日本語 🦙"}', '\u0000\u0001', 'x'.repeat(200_000)];
      const events = bodies.map((body, i) => event(`run/round:1|agent ${i}é`, body));
      for (const each of events) assert.equal(await store.offer(runId, each), 'queued');
      assert.deepEqual(await other.readInbox(runId, 100), events);
      assert.deepEqual(await other.readInbox(runId, 2), events.slice(0, 2));
      assert.deepEqual(await store.readInbox(runId, 100), events, 'reading consumes nothing');
    }),
  );

  test(
    'a commit consumes the head of the inbox and leaves what came later',
    play(async ({ store, other, runId, lease }) => {
      for (const id of ['e1', 'e2', 'e3', 'e4']) await store.offer(runId, event(id));
      await store.commit(await lease(), batch(0, { consumed: 3 }));
      await other.offer(runId, event('e5'));
      assert.deepEqual(
        (await store.readInbox(runId, 10)).map(({ eventId }) => eventId),
        ['e4', 'e5'],
      );
    }),
  );

  test(
    'an event that is offered by many at once is queued once',
    play(async ({ store, other, runId }) => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? store : other).offer(runId, event('same'))),
      );
      assert.equal(answers.filter((answer) => answer === 'queued').length, 1);
      assert.equal(answers.filter((answer) => answer === 'repeated').length, 19);
      assert.equal((await store.readInbox(runId, 10)).length, 1);
    }),
  );

  test(
    'a repeated event is not queued again while it waits, after its reply, nor after it was consumed without one',
    play(async ({ store, runId, lease }) => {
      for (const id of ['replied', 'silent', 'waiting']) await store.offer(runId, event(id));
      await store.commit(await lease(), batch(0, { consumed: 2, replies: [reply('replied', 'yes')] }));
      for (const id of ['replied', 'silent', 'waiting'])
        assert.equal(await store.offer(runId, event(id, 'other body')), 'repeated', id);
      assert.deepEqual(await store.readInbox(runId, 10), [event('waiting')]);
    }),
  );

  test(
    'the same event id in two runs is two events',
    play(async ({ store, runId, newRun }) => {
      assert.equal(await store.offer(runId, event('e')), 'queued');
      assert.equal(await store.offer(await newRun(), event('e')), 'queued');
    }),
  );

  test(
    'a reply is null until a commit gives it, then it is read by anybody, any number of times',
    play(async ({ store, other, runId, lease }) => {
      const bodies = { e1: 'yes', e2: '', e3: '日本\nq' };
      for (const id of [...Object.keys(bodies), 'e4']) await store.offer(runId, event(id));
      assert.equal(await other.readReply(runId, 'e1' as EventId), null);
      const replies = Object.entries(bodies).map(([id, body]) => reply(id, body));
      await store.commit(await lease(), batch(0, { consumed: 4, replies }));
      for (const client of [other, store])
        for (const [id, body] of Object.entries(bodies))
          assert.equal(await client.readReply(runId, id as EventId), body);
      assert.equal(await other.readReply(runId, 'e4' as EventId), null, 'consumed without a reply');
      assert.equal(await other.readReply(runId, 'never' as EventId), null);
    }),
  );

  test(
    'a reply is forgotten after its time, an event that waits never',
    playForgetful(async ({ store, runId, until, lease }) => {
      const held = await lease();
      await store.offer(runId, event('answered'));
      await store.offer(runId, event('waiting'));
      await store.commit(held, batch(0, { consumed: 1, replies: [reply('answered', 'yes')] }));
      await until('the reply is forgotten', async () => (await store.readReply(runId, 'answered' as EventId)) === null);
      assert.equal(await store.offer(runId, event('waiting')), 'repeated');
      assert.equal(await store.offer(runId, event('answered')), 'queued', 'its id is free again');

      await store.commit(held, batch(1, { consumed: 2 }));
      await until(
        'an event that was consumed without a reply is forgotten',
        async () => (await store.offer(runId, event('waiting'))) === 'queued',
      );
    }),
  );

  test(
    'a full inbox stores nothing, still knows repetitions, and takes events again after a commit',
    playSmall(async ({ store, other, runId, newRun, lease }) => {
      for (let i = 0; i < 5; i += 1) assert.equal(await store.offer(runId, event(`e${i}`)), 'queued');
      assert.equal(await other.offer(runId, event('late')), 'full');
      assert.equal(await other.offer(runId, event('e3')), 'repeated');
      assert.equal(await other.offer(await newRun(), event('late')), 'queued', 'other runs have room');
      assert.equal((await store.readInbox(runId, 10)).length, 5);

      await store.commit(await lease(), batch(0, { consumed: 1 }));
      assert.equal(await store.offer(runId, event('late')), 'queued');
      assert.equal(await store.offer(runId, event('later')), 'full');
    }),
  );

  test(
    'the bound holds against many that offer at once',
    playSmall(async ({ store, other, runId }) => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? store : other).offer(runId, event(`e${i}`))),
      );
      assert.equal(answers.filter((answer) => answer === 'queued').length, 5);
      assert.equal(answers.filter((answer) => answer === 'full').length, 35);
    }),
  );

  test(
    'thousands of events are consumed and answered in one commit',
    play(async ({ store, runId, lease }) => {
      const ids = Array.from({ length: 9_000 }, (_, i) => `event-${i}`);
      await Promise.all(ids.map((id) => store.offer(runId, event(id, '{}'))));
      const head = await store.readInbox(runId, 8_500);
      const replies = head.map(({ eventId }) => ({ eventId, body: `to ${eventId}` }));
      assert.equal(await store.commit(await lease(), batch(0, { consumed: head.length, replies })), 'committed');
      assert.equal((await store.readInbox(runId, 10_000)).length, 500);
      for (const { eventId, body } of [replies[0]!, replies[4_321]!, replies.at(-1)!])
        assert.equal(await store.readReply(runId, eventId), body);
    }),
  );

  test(
    'event ids that could break the encoding are stopped before they reach the store',
    play(async ({ store, runId }) => {
      for (const id of ['', 'a\nb', 'x'.repeat(1_000)])
        await assert.rejects(store.offer(runId, event(id)), RangeError, JSON.stringify(id.slice(0, 5)));
      await assert.rejects(store.readInbox(runId, 0), RangeError);
    }),
  );
}
