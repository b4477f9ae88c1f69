import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ObjectStoreFault, PART_BYTES_MIN, type PartTag, type UploadToken } from '../port.ts';
import { bytesOf, collect, digestOf, inTurns, numbered, type OpenObjectStoreHarness, scene, textOf } from './scene.ts';

export function uploadTests(openHarness: OpenObjectStoreHarness): void {
  const play = scene(openHarness);

  test(
    'parts become the object in the order of their numbers, and nothing is visible before',
    play(async ({ store, other, folder }) => {
      const name = `${folder}update.safetensors`;
      const parts = [PART_BYTES_MIN, PART_BYTES_MIN + 1, 3].map((length, i) => numbered(length, i));
      const token = await store.beginUpload(name);
      assert.deepEqual(await store.listParts(name, token), []);
      for (const part of [3, 1, 2]) await store.writePart(name, token, part, parts[part - 1]!);
      assert.deepEqual(
        await other.listParts(name, token),
        parts.map(({ length }, i) => ({ part: i + 1, bytes: length })),
      );
      assert.equal(await other.head(name), null);
      assert.deepEqual(await collect(other.list(folder)), []);

      assert.equal(await store.completeUpload(name, token), true);
      assert.equal(digestOf(...(await collect(other.read(name)))), digestOf(...parts));
      assert.equal(await other.listParts(name, token), null);
      assert.equal(await other.completeUpload(name, token), false, 'a second time');
    }),
  );

  test(
    'an upload is resumed by another client that has only the token’s text',
    play(async ({ store, other, folder }) => {
      const name = `${folder}x`;
      const parts = [numbered(PART_BYTES_MIN, 1), numbered(10, 2)];
      const token = await store.beginUpload(name);
      assert.match(token, /^[A-Za-z0-9._~-]+$/, 'safe in a URL');
      await store.writePart(name, token, 1, parts[0]!);

      const kept = JSON.parse(JSON.stringify({ token })).token as UploadToken;
      assert.deepEqual(await other.listParts(name, kept), [{ part: 1, bytes: PART_BYTES_MIN }]);
      await other.writePart(name, kept, 2, parts[1]!);
      assert.equal(await other.completeUpload(name, kept), true);
      assert.equal(digestOf((await store.get(name))!), digestOf(...parts));
    }),
  );

  test(
    'a part that is written again replaces the earlier one',
    play(async ({ store, folder }) => {
      const token = await store.beginUpload(`${folder}x`);
      await store.writePart(`${folder}x`, token, 1, bytesOf('a longer first try'));
      await store.writePart(`${folder}x`, token, 1, bytesOf('second'));
      assert.deepEqual(await store.listParts(`${folder}x`, token), [{ part: 1, bytes: 6 }]);
      await store.completeUpload(`${folder}x`, token);
      assert.equal(textOf(await store.get(`${folder}x`)), 'second');
    }),
  );

  test(
    'an unknown upload has no parts, is not completed, takes no part, and may be aborted',
    play(async ({ store, folder }) => {
      const real = await store.beginUpload(`${folder}x`);
      await store.writePart(`${folder}x`, real, 1, bytesOf('x'));
      const never = (real.slice(0, -4) + (real.endsWith('0000') ? '1111' : '0000')) as UploadToken;
      const unknown: readonly (readonly [string, UploadToken])[] = [
        [`${folder}x`, never],
        [`${folder}another-name`, real],
        [`${folder}x`, 'no-such-token' as UploadToken],
        [`${folder}x`, 'longer-than-the-name-of-a-file'.repeat(30) as UploadToken],
      ];
      for (const [name, token] of unknown) {
        assert.equal(await store.listParts(name, token), null);
        assert.equal(await store.completeUpload(name, token), false);
        await store.abortUpload(name, token);
        await assert.rejects(store.writePart(name, token, 1, bytesOf('x')), ObjectStoreFault);
      }
      assert.equal(await store.completeUpload(`${folder}x`, real), true, 'the real one was left alone');
    }),
  );

  test(
    'an aborted upload leaves nothing, and what was there before stays',
    play(async ({ store, other, folder }) => {
      await store.put(`${folder}x`, bytesOf('before'));
      const token = await store.beginUpload(`${folder}x`);
      await store.writePart(`${folder}x`, token, 1, bytesOf('after'));
      await other.abortUpload(`${folder}x`, token);
      assert.equal(await store.listParts(`${folder}x`, token), null);
      assert.equal(await store.completeUpload(`${folder}x`, token), false);
      await assert.rejects(store.writePart(`${folder}x`, token, 2, bytesOf('late')), ObjectStoreFault);
      assert.equal(await store.listParts(`${folder}x`, token), null, 'a late part does not bring it back');
      await store.abortUpload(`${folder}x`, token);
      assert.deepEqual(await collect(store.list(folder)), [{ name: `${folder}x`, bytes: 6 }]);
      assert.equal(textOf(await store.get(`${folder}x`)), 'before');
    }),
  );

  test(
    'uploads of one name are independent, and the last completed is the object',
    play(async ({ store, folder }) => {
      const [first, second] = [await store.beginUpload(`${folder}x`), await store.beginUpload(`${folder}x`)];
      assert.notEqual(first, second);
      await store.writePart(`${folder}x`, first, 1, bytesOf('first'));
      await store.writePart(`${folder}x`, second, 1, bytesOf('second'));
      assert.equal(await store.completeUpload(`${folder}x`, second), true);
      assert.equal(await store.completeUpload(`${folder}x`, first), true);
      assert.equal(textOf(await store.get(`${folder}x`)), 'first');
    }),
  );

  test(
    'parts as they were written become the object, whatever else was written',
    play(async ({ store, other, folder }) => {
      const parts = [numbered(PART_BYTES_MIN, 1), numbered(10, 2)];
      const token = await store.beginUpload(`${folder}x`);
      const tags: PartTag[] = [];
      for (const [i, part] of parts.entries()) tags.push(await store.writePart(`${folder}x`, token, i + 1, part));
      await store.writePart(`${folder}x`, token, 3, numbered(10, 3));
      assert.equal(await other.completeWritten(`${folder}x`, token, tags), true);
      assert.equal(digestOf((await store.get(`${folder}x`))!), digestOf(...parts));
      assert.equal(await store.completeWritten(`${folder}x`, token, tags), false, 'a second time');
      assert.equal(await store.listParts(`${folder}x`, token), null);
    }),
  );

  test(
    'a part that was written again is not the one that it was',
    play(async ({ store, other, folder }) => {
      const token = await store.beginUpload(`${folder}x`);
      const first = await store.writePart(`${folder}x`, token, 1, bytesOf('what was looked at'));
      const second = await other.writePart(`${folder}x`, token, 1, bytesOf('something else'));
      assert.equal(await store.completeWritten(`${folder}x`, token, [first]), false);
      assert.equal(await store.completeWritten(`${folder}x`, token, [second, first]), false);
      assert.equal(await store.head(`${folder}x`), null);
      assert.equal(await store.completeWritten(`${folder}x`, token, [second]), true);
      assert.equal(textOf(await store.get(`${folder}x`)), 'something else');
    }),
  );

  test(
    'uploads that were begun are listed until they are completed or dropped',
    play(async ({ store, other, folder }) => {
      const names = [`${folder}a/x`, `${folder}a/x`, `${folder}b/y`];
      const tokens: UploadToken[] = [];
      for (const name of names) tokens.push(await store.beginUpload(name));
      await store.writePart(names[1]!, tokens[1]!, 1, bytesOf('x'));
      const listed = async (prefix: string) =>
        new Set((await collect(other.listUploads(prefix))).map(({ name, token }) => `${name} ${token}`));
      const begun = names.map((name, i) => `${name} ${tokens[i]}`);
      assert.deepEqual(await listed(folder), new Set(begun));
      assert.deepEqual(await listed(`${folder}a/`), new Set(begun.slice(0, 2)));
      await store.completeUpload(names[1]!, tokens[1]!);
      await store.abortUpload(names[2]!, tokens[2]!);
      assert.deepEqual(await listed(folder), new Set(begun.slice(0, 1)));
      await store.abortUpload(names[0]!, tokens[0]!);
      assert.deepEqual(await listed(folder), new Set());
    }),
  );

  test(
    'the memory of a part that was written is the caller’s again',
    play(async ({ store, folder }) => {
      const token = await store.beginUpload(`${folder}x`);
      const bytes = bytesOf('kept');
      const tag = await store.writePart(`${folder}x`, token, 1, bytes);
      bytes.fill(0);
      assert.equal(await store.completeWritten(`${folder}x`, token, [tag]), true);
      assert.equal(textOf(await store.get(`${folder}x`)), 'kept');
    }),
  );

  test(
    'a part that is too small faults at the end, and the upload can be mended',
    play(async ({ store, folder }) => {
      const token = await store.beginUpload(`${folder}x`);
      await assert.rejects(store.completeUpload(`${folder}x`, token), /no parts/);
      await store.writePart(`${folder}x`, token, 1, bytesOf('small'));
      await store.writePart(`${folder}x`, token, 2, bytesOf('end'));
      await assert.rejects(store.completeUpload(`${folder}x`, token), (error) => {
        assert.ok(error instanceof ObjectStoreFault);
        assert.match(error.message, /part 1 .* 5 bytes; allowed: at least 5242880/);
        return true;
      });
      assert.equal(await store.head(`${folder}x`), null);
      const large = numbered(PART_BYTES_MIN, 5);
      await store.writePart(`${folder}x`, token, 1, large);
      assert.equal(await store.completeUpload(`${folder}x`, token), true);
      assert.equal(digestOf((await store.get(`${folder}x`))!), digestOf(large, bytesOf('end')));
    }),
  );

  test(
    'numbers of parts may have gaps, and ten thousand is the last',
    play(async ({ store, folder }) => {
      const token = await store.beginUpload(`${folder}x`);
      const parts = [numbered(PART_BYTES_MIN, 6), bytesOf('end')];
      await store.writePart(`${folder}x`, token, 7, parts[0]!);
      await store.writePart(`${folder}x`, token, 10_000, parts[1]!);
      for (const part of [0, 10_001, 1.5])
        await assert.rejects(store.writePart(`${folder}x`, token, part, bytesOf('x')), RangeError);
      assert.equal(await store.completeUpload(`${folder}x`, token), true);
      assert.equal(digestOf((await store.get(`${folder}x`))!), digestOf(...parts));
    }),
  );

  test(
    'more parts than fit one page are listed whole, ascending',
    play(async ({ store, folder }) => {
      const token = await store.beginUpload(`${folder}x`);
      const parts = Array.from({ length: 1_005 }, (_, i) => i + 1);
      await inTurns([...parts].reverse(), (part) =>
        store.writePart(`${folder}x`, token, part, new Uint8Array(part % 3)),
      );
      assert.deepEqual(
        await store.listParts(`${folder}x`, token),
        parts.map((part) => ({ part, bytes: part % 3 })),
      );
      await store.abortUpload(`${folder}x`, token);
    }),
  );
}
