import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ObjectStoreFault } from '../port.ts';
import { bytesOf, collect, isReason, numbered, type OpenObjectStoreHarness, scene, textOf } from './scene.ts';

export function objectTests(openHarness: OpenObjectStoreHarness): void {
  const play = scene(openHarness);

  test(
    'an object is read as it was written, by every client',
    play(async ({ store, other, folder }) => {
      const bytes = numbered(100_001, 1);
      await store.put(`${folder}a/b.bin`, bytes);
      assert.deepEqual(await other.head(`${folder}a/b.bin`), { bytes: 100_001 });
      assert.ok(Buffer.from(bytes).equals((await other.get(`${folder}a/b.bin`)) ?? new Uint8Array()));
    }),
  );

  test(
    'an empty object is an object',
    play(async ({ store, folder }) => {
      await store.put(`${folder}empty`, new Uint8Array(0));
      assert.deepEqual(await store.head(`${folder}empty`), { bytes: 0 });
      assert.equal((await store.get(`${folder}empty`))?.length, 0);
      assert.deepEqual(await collect(store.read(`${folder}empty`)), []);
      assert.equal((await store.get(`${folder}empty`, { start: 0, end: 5 }))?.length, 0);
    }),
  );

  test(
    'put replaces an object of the same name',
    play(async ({ store, folder }) => {
      await store.put(`${folder}x`, bytesOf('a longer first text'));
      await store.put(`${folder}x`, bytesOf('second'));
      assert.equal(textOf(await store.get(`${folder}x`)), 'second');
    }),
  );

  test(
    'while an object is replaced again and again a reader sees one of its writers whole',
    play(async ({ store, other, folder }) => {
      const versions = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(50_000));
      await store.put(`${folder}x`, bytesOf(versions[0]!));
      let done = false;
      const reading = (async () => {
        while (!done) assert.ok(versions.includes(textOf(await other.get(`${folder}x`)) ?? 'none'));
      })();
      for (let turn = 0; turn < 5; turn += 1)
        await Promise.all(versions.map((version) => store.put(`${folder}x`, bytesOf(version))));
      done = true;
      await reading;
    }),
  );

  test(
    'a missing object is null, except where its bytes were asked for as a stream',
    play(async ({ store, folder }) => {
      assert.equal(await store.head(`${folder}none`), null);
      assert.equal(await store.get(`${folder}none`), null);
      assert.equal(await store.get(`${folder}none`, { start: 0, end: 1 }), null);
      assert.equal(await store.get(`${folder}none`, { start: 5, end: 5 }), null);
      await assert.rejects(collect(store.read(`${folder}none`)), (error) => {
        assert.ok(error instanceof ObjectStoreFault);
        assert.match(error.message, /no object .*none/);
        return true;
      });
    }),
  );

  test(
    'a folder is no object',
    play(async ({ store, folder }) => {
      await store.put(`${folder}a/b`, bytesOf('x'));
      assert.equal(await store.head(`${folder}a`), null);
      assert.equal(await store.get(`${folder}a`), null);
      await store.delete(`${folder}a`);
      assert.equal(textOf(await store.get(`${folder}a/b`)), 'x');
      assert.equal(await store.get(`${folder}a/b/c`), null);
    }),
  );

  test(
    'putIfAbsent writes where nothing is and leaves what is there',
    play(async ({ store, other, folder }) => {
      assert.equal(await store.putIfAbsent(`${folder}x`, bytesOf('first')), 'written');
      assert.equal(await store.putIfAbsent(`${folder}x`, bytesOf('second')), 'exists');
      assert.equal(await other.putIfAbsent(`${folder}x`, bytesOf('first')), 'exists', 'the same bytes too');
      assert.equal(textOf(await other.get(`${folder}x`)), 'first');
      await store.delete(`${folder}x`);
      assert.equal(await store.putIfAbsent(`${folder}x`, bytesOf('third')), 'written');
    }),
  );

  test(
    'of many that putIfAbsent at once exactly one has written, and its bytes stay',
    play(async ({ store, other, folder }) => {
      for (let round = 0; round < 5; round += 1) {
        const name = `${folder}manifest-${round}`;
        const answers = await Promise.all(
          Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? store : other).putIfAbsent(name, bytesOf(`by ${i}`))),
        );
        assert.equal(answers.filter((answer) => answer === 'written').length, 1);
        assert.equal(textOf(await store.get(name)), `by ${answers.indexOf('written')}`);
      }
    }),
  );

  test(
    'a deleted object is gone, and deleting none is no fault',
    play(async ({ store, other, folder }) => {
      await store.put(`${folder}x`, bytesOf('x'));
      await other.delete(`${folder}x`);
      assert.equal(await store.head(`${folder}x`), null);
      await store.delete(`${folder}x`);
      await store.delete(`${folder}never/there`);
    }),
  );

  test(
    'what was given or read is not changed by who changes the bytes afterwards',
    play(async ({ store, folder }) => {
      const given = Buffer.from('--text--').subarray(2, 6);
      await store.put(`${folder}x`, given);
      given.fill(0);
      const read = await store.get(`${folder}x`);
      assert.equal(textOf(read), 'text');
      read?.fill(0);
      assert.equal(textOf(await store.get(`${folder}x`)), 'text');
    }),
  );

  test(
    'names that are no object names are stopped before they reach the store',
    play(async ({ store, folder }) => {
      for (const name of ['', '/x', `${folder}../x`, `${folder}a//b`, `${folder}a/`, `${folder}a\\b`, '\ud800']) {
        await assert.rejects(store.put(name, bytesOf('x')), RangeError, name);
        await assert.rejects(store.putIfAbsent(name, bytesOf('x')), RangeError, name);
        await assert.rejects(store.get(name), RangeError, name);
        await assert.rejects(store.head(name), RangeError, name);
        await assert.rejects(collect(store.read(name)), RangeError, name);
        await assert.rejects(store.delete(name), RangeError, name);
        await assert.rejects(store.beginUpload(name), RangeError, name);
      }
      await assert.rejects(collect(store.list('../')), RangeError);
    }),
  );

  test(
    'an aborted signal ends each call with its reason and changes nothing',
    play(async ({ store, folder }) => {
      await store.put(`${folder}x`, bytesOf('old'));
      const reason = new Error('the caller went away');
      const signal = AbortSignal.abort(reason);
      await assert.rejects(store.put(`${folder}x`, bytesOf('new'), signal), isReason(reason));
      await assert.rejects(store.putIfAbsent(`${folder}y`, bytesOf('new'), signal), isReason(reason));
      await assert.rejects(store.get(`${folder}x`, undefined, signal), isReason(reason));
      await assert.rejects(store.head(`${folder}x`, signal), isReason(reason));
      await assert.rejects(collect(store.read(`${folder}x`, undefined, signal)), isReason(reason));
      await assert.rejects(collect(store.list(folder, signal)), isReason(reason));
      await assert.rejects(store.beginUpload(`${folder}x`, signal), isReason(reason));
      assert.deepEqual(await collect(store.list(folder)), [{ name: `${folder}x`, bytes: 3 }]);
      assert.equal(textOf(await store.get(`${folder}x`)), 'old');
    }),
  );

  test(
    'a store that is fit for work says so, again and again',
    play(async ({ store, other }) => {
      await store.checkReady();
      await other.checkReady();
      await store.checkReady();
    }),
  );
}
