import assert from 'node:assert/strict';
import { chmod, link, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createFileObjectStore } from './file.ts';
import { ObjectStoreFault } from './port.ts';
import { objectStoreSuite } from './suite.ts';

const newDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'flexlora-objects-'));

objectStoreSuite('files', async () => {
  const directory = await newDirectory();
  return {
    open: () => createFileObjectStore({ directory }),
    close: () => rm(directory, { recursive: true, force: true }),
  };
});

describe('file store: what a kill or another hand left', () => {
  async function withDirectory(play: (directory: string) => Promise<void>): Promise<void> {
    const directory = await newDirectory();
    try {
      await play(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  const listed = async (directory: string): Promise<string[]> => {
    const names = [];
    for await (const { name } of createFileObjectStore({ directory }).list('')) names.push(name);
    return names;
  };
  const bytes = new TextEncoder().encode('x');

  test('temporary files of processes that are gone are swept, those of others stay', () =>
    withDirectory(async (directory) => {
      const temporary = join(directory, 'temporary');
      await mkdir(temporary, { recursive: true });
      const host = encodeURIComponent(hostname());
      const dead = `${host}~${2 ** 30}~mark~1`;
      const earlierLife = `${host}~${process.pid}~another-mark~2`;
      const alive = `${host}~${process.ppid}~mark~3`;
      const elsewhere = `${host}-other~1~mark~4`;
      for (const name of [dead, earlierLife, alive, elsewhere]) await writeFile(join(temporary, name), bytes);
      await mkdir(join(temporary, `${dead}-folder`));

      await createFileObjectStore({ directory }).put('a', bytes);
      assert.deepEqual((await readdir(temporary)).sort(), [alive, elsewhere].sort());
      assert.deepEqual(await listed(directory), ['a']);
    }));

  test('a part that was being written, and an upload that was being completed, are still what they were', () =>
    withDirectory(async (directory) => {
      const store = createFileObjectStore({ directory });
      const token = await store.beginUpload('a');
      await store.writePart('a', token, 1, bytes);
      // Killed after the object got its name and before the upload was removed.
      await mkdir(join(directory, 'objects'), { recursive: true });
      await link(join(directory, 'uploads', token, '1.part'), join(directory, 'objects', 'a'));
      await writeFile(join(directory, 'uploads', token, 'foreign.txt'), 'not a part');

      const next = createFileObjectStore({ directory });
      assert.deepEqual(await next.listParts('a', token), [{ part: 1, bytes: 1 }]);
      assert.equal(await next.completeUpload('a', token), true);
      assert.deepEqual(await listed(directory), ['a']);
      assert.deepEqual(await readdir(join(directory, 'uploads')), []);
      assert.deepEqual(await readdir(join(directory, 'temporary')), []);
    }));

  test('files that are no objects are passed over', () =>
    withDirectory(async (directory) => {
      const store = createFileObjectStore({ directory });
      await store.put('a', bytes);
      await writeFile(join(directory, 'objects', 'back\\slash'), bytes);
      await mkdir(join(directory, 'objects', 'empty folder'));
      assert.deepEqual(await listed(directory), ['a']);
    }));

  test('an object and a folder of one name are refused by a fault that says so, and both directions leave things as they were', () =>
    withDirectory(async (directory) => {
      const store = createFileObjectStore({ directory });
      await store.put('a', bytes);
      await store.put('b/c', bytes);
      for (const write of [store.put, store.putIfAbsent]) {
        await assert.rejects(write('a/b', bytes), /use another name/);
        await assert.rejects(write('b', bytes), /use another name/);
      }
      assert.deepEqual(await listed(directory), ['a', 'b/c']);
      assert.deepEqual(await readdir(join(directory, 'temporary')), []);
    }));

  test('a directory that cannot be made is a fault with its cause, and works once it can', () =>
    withDirectory(async (parent) => {
      const directory = join(parent, 'blocked', 'store');
      await writeFile(join(parent, 'blocked'), 'a file where a folder must be');
      const store = createFileObjectStore({ directory });
      await assert.rejects(store.checkReady(), (error) => {
        assert.ok(error instanceof ObjectStoreFault && error.cause instanceof Error);
        return true;
      });
      await assert.rejects(store.put('a', bytes), ObjectStoreFault);
      await rename(join(parent, 'blocked'), join(parent, 'out-of-the-way'));
      await store.checkReady();
      await store.put('a', bytes);
      assert.deepEqual(await listed(directory), ['a']);
    }));

  test(
    'a directory without permission is a fault that says what to do',
    { skip: process.getuid?.() === 0 && 'root may write everywhere' },
    () =>
      withDirectory(async (directory) => {
        await chmod(directory, 0o500);
        await assert.rejects(createFileObjectStore({ directory }).checkReady(), /let this user read and write/);
        await chmod(directory, 0o700);
      }),
  );
});
