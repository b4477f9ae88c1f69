import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteRange } from '../port.ts';
import { bytesOf, collect, digestOf, isReason, numbered, type OpenObjectStoreHarness, scene, textOf } from './scene.ts';

const LARGE_BYTES = (20 << 20) + 7;
/** Far less than the object: proof that it is not held whole. */
const PIECE_BYTES_MAX = 2 << 20;

export function rangeTests(openHarness: OpenObjectStoreHarness): void {
  const play = scene(openHarness);

  test(
    'a range is from its start up to its end, cut to the object’s end',
    play(async ({ store, folder }) => {
      await store.put(`${folder}x`, bytesOf('0123456789'));
      const ranges: readonly (readonly [ByteRange, string])[] = [
        [{ start: 0, end: 10 }, '0123456789'],
        [{ start: 0, end: 1 }, '0'],
        [{ start: 3, end: 7 }, '3456'],
        [{ start: 9, end: 10 }, '9'],
        [{ start: 4 }, '456789'],
        [{ start: 7, end: 1_000 }, '789'],
        [{ start: 10, end: 12 }, ''],
        [{ start: 10 }, ''],
        [{ start: 500, end: 1_000 }, ''],
        [{ start: 4, end: 4 }, ''],
        [{ start: 0, end: 0 }, ''],
      ];
      for (const [range, expected] of ranges) {
        assert.equal(textOf(await store.get(`${folder}x`, range)), expected, JSON.stringify(range));
        const pieces = await collect(store.read(`${folder}x`, range));
        assert.equal(textOf(Buffer.concat(pieces)), expected, `read ${JSON.stringify(range)}`);
      }
    }),
  );

  test(
    'ranges that make no sense are stopped before they reach the store',
    play(async ({ store, folder }) => {
      for (const range of [{ start: -1 }, { start: 5, end: 4 }, { start: 0.5 }]) {
        await assert.rejects(store.get(`${folder}x`, range), RangeError);
        await assert.rejects(collect(store.read(`${folder}x`, range)), RangeError);
      }
    }),
  );

  test(
    'a large object is streamed in small pieces, whole and from an offset',
    play(async ({ store, other, folder }) => {
      const bytes = numbered(LARGE_BYTES, 2);
      await store.put(`${folder}large`, bytes);
      const pieces = await collect(other.read(`${folder}large`));
      assert.ok(Math.max(...pieces.map(({ length }) => length)) <= PIECE_BYTES_MAX);
      assert.equal(digestOf(...pieces), digestOf(bytes));

      const [start, end] = [12_345_678, 19_999_999];
      const middle = await collect(other.read(`${folder}large`, { start, end }));
      assert.equal(digestOf(...middle), digestOf(bytes.subarray(start, end)));
      assert.equal(digestOf((await other.get(`${folder}large`, { start }))!), digestOf(bytes.subarray(start)));
    }),
  );

  test(
    'a reader may stop early, many times over, and the store goes on working',
    play(async ({ store, folder }) => {
      await store.put(`${folder}large`, numbered(4 << 20, 3));
      for (let turn = 0; turn < 100; turn += 1) for await (const _ of store.read(`${folder}large`)) break;
      assert.deepEqual(await store.head(`${folder}large`), { bytes: 4 << 20 });
    }),
  );

  test(
    'a stream ends with the reason of its signal when that is aborted half-way',
    play(async ({ store, folder }) => {
      await store.put(`${folder}large`, numbered(LARGE_BYTES, 4));
      const controller = new AbortController();
      const reason = new Error('the caller went away');
      let bytes = 0;
      const reading = (async () => {
        for await (const piece of store.read(`${folder}large`, undefined, controller.signal)) {
          bytes += piece.length;
          controller.abort(reason);
        }
      })();
      await assert.rejects(reading, isReason(reason));
      assert.ok(bytes > 0 && bytes < LARGE_BYTES);
    }),
  );
}
