import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EventId, RUN_AGENTS_MAX } from '@flexlora/core';
import { batch, event, type OpenRoundStoreHarness, scene } from './scene.ts';

const fieldsOf = (count: number, value: (i: number) => string): Map<string, string> =>
  new Map(Array.from({ length: count }, (_, i) => [`agent:${i}`, value(i)]));

export function commitTests(openHarness: OpenRoundStoreHarness): void {
  const play = scene(openHarness);

  test(
    'a run without a commit has no state and version 0',
    play(async ({ store, runId }) => {
      assert.equal(await store.readState(runId), null);
      assert.deepEqual(await store.readFields(runId, ['a', 'b']), { version: 0, values: [null, null] });
      assert.deepEqual(await store.readFields(runId, []), { version: 0, values: [] });
    }),
  );

  test(
    'a commit puts and drops fields and leaves the others, and each raises the version by one',
    play(async ({ store, other, runId, lease }) => {
      const held = await lease();
      const first = new Map([
        ['head', '1'],
        ['a', 'x'],
        ['b', 'y'],
      ]);
      assert.equal(await store.commit(held, batch(0, { put: first })), 'committed');
      assert.deepEqual(await other.readState(runId), { version: 1, fields: first });

      const change = { put: new Map([['head', '2']]), drop: ['a', 'never there'] };
      assert.equal(await store.commit(held, batch(1, change)), 'committed');
      const second = new Map([
        ['head', '2'],
        ['b', 'y'],
      ]);
      assert.deepEqual(await other.readState(runId), { version: 2, fields: second });
      assert.deepEqual(await other.readFields(runId, ['b', 'a', 'head', 'b']), {
        version: 2,
        values: ['y', null, '2', 'y'],
      });
    }),
  );

  test(
    'a field that is dropped and put in one batch is put',
    play(async ({ store, runId, lease }) => {
      await store.commit(await lease(), batch(0, { put: new Map([['a', 'new']]), drop: ['a'] }));
      assert.deepEqual((await store.readFields(runId, ['a'])).values, ['new']);
    }),
  );

  test(
    'a state whose last field was dropped is empty, not gone',
    play(async ({ store, runId, lease }) => {
      const held = await lease();
      await store.commit(held, batch(0, { put: new Map([['a', 'x']]) }));
      await store.commit(held, batch(1, { drop: ['a'] }));
      assert.deepEqual(await store.readState(runId), { version: 2, fields: new Map() });
    }),
  );

  test(
    'another version than expected is fenced, and nothing at all is changed',
    play(async ({ store, other, runId, lease }) => {
      const held = await lease();
      await store.offer(runId, event('e1'));
      await store.commit(held, batch(0, { put: new Map([['a', 'x']]) }));
      const change = {
        put: new Map([['a', 'changed']]),
        drop: ['a'],
        consumed: 1,
        replies: [{ eventId: 'e1' as EventId, body: 'no' }],
      };
      for (const version of [0, 2, 100]) assert.equal(await store.commit(held, batch(version, change)), 'fenced');
      assert.equal(await store.commit({ ...held, epoch: held.epoch + 1 }, batch(1, change)), 'fenced');
      assert.deepEqual(await other.readState(runId), { version: 1, fields: new Map([['a', 'x']]) });
      assert.deepEqual(await other.readInbox(runId, 10), [event('e1')]);
      assert.equal(await other.readReply(runId, 'e1' as EventId), null);
    }),
  );

  test(
    'of many commits that expect the same version exactly one is committed',
    play(async ({ store, other, runId, lease }) => {
      const held = await lease();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 === 0 ? store : other).commit(held, batch(0, { put: new Map([['by', `${i}`]]) })),
        ),
      );
      assert.equal(answers.filter((answer) => answer === 'committed').length, 1);
      assert.deepEqual(await store.readFields(runId, ['by']), {
        version: 1,
        values: [`${answers.indexOf('committed')}`],
      });
    }),
  );

  test(
    'a reader never sees half of a commit',
    play(async ({ store, other, runId, lease }) => {
      const held = await lease();
      const names = [...fieldsOf(50, () => '').keys()];
      let done = false;
      const reading = (async () => {
        const seen = new Set<number>();
        while (!done) {
          const some = await other.readFields(runId, names);
          const all = await other.readState(runId);
          for (const view of [some, { version: all?.version ?? 0, values: [...(all?.fields.values() ?? [])] }]) {
            seen.add(view.version);
            const expected = view.version === 0 ? null : `${view.version}`;
            assert.ok(view.values.every((value) => value === expected));
          }
        }
        return seen;
      })();
      for (let version = 0; version < 100; version += 1)
        assert.equal(
          await store.commit(held, batch(version, { put: fieldsOf(50, () => `${version + 1}`) })),
          'committed',
        );
      done = true;
      assert.ok((await reading).size > 1, 'the reader read while commits went on');
    }),
  );

  test(
    'names and values of fields are any text',
    play(async ({ store, runId, lease }) => {
      const put = new Map(
        ['', '1', '0', '__proto__', 'constructor', 'length', 'é日本🦙', 'with space\nand line', '\u0000'].map(
          (name) => [name, `[${name}] \u0000\r\n 🦙`],
        ),
      );
      put.set('empty', '');
      await store.commit(await lease(), batch(0, { put }));
      assert.deepEqual(await store.readState(runId), { version: 1, fields: put });
      assert.deepEqual((await store.readFields(runId, [...put.keys()])).values, [...put.values()]);
    }),
  );

  test(
    'a commit of 12,000 fields is written, read and dropped whole',
    play(async ({ store, runId, lease }) => {
      const held = await lease();
      const put = fieldsOf(12_000, (i) => JSON.stringify({ i, pad: 'x'.repeat(200) }));
      assert.equal(await store.commit(held, batch(0, { put })), 'committed');
      assert.deepEqual(await store.readState(runId), { version: 1, fields: put });
      assert.deepEqual((await store.readFields(runId, [...put.keys()])).values, [...put.values()]);
      assert.equal(await store.commit(held, batch(1, { drop: [...put.keys()].slice(1) })), 'committed');
      assert.deepEqual([...((await store.readState(runId))?.fields.keys() ?? [])], ['agent:0']);
    }),
  );

  test(
    'a commit holds a field for each agent of the largest run',
    play(async ({ store, runId, lease }) => {
      const put = fieldsOf(RUN_AGENTS_MAX, (i) => `${i}`);
      assert.equal(await store.commit(await lease(), batch(0, { put })), 'committed');
      assert.equal((await store.readState(runId))?.fields.size, RUN_AGENTS_MAX);
    }),
  );

  test(
    'what was read or given does not change afterwards',
    play(async ({ store, runId, lease }) => {
      const held = await lease();
      const put = new Map([['a', 'x']]);
      await store.commit(held, batch(0, { put }));
      put.set('a', 'changed by the caller');
      const before = await store.readState(runId);
      await store.commit(held, batch(1, { put: new Map([['a', 'y']]) }));
      assert.equal(before?.fields.get('a'), 'x');
    }),
  );
}
