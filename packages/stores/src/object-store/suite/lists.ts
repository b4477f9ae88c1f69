import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareNames } from '../object-name.ts';
import { bytesOf, collect, inTurns, type OpenObjectStoreHarness, scene, textOf } from './scene.ts';

export function listTests(openHarness: OpenObjectStoreHarness): void {
  const play = scene(openHarness);

  test(
    'names are listed with their sizes in the order of their bytes, however deep they are',
    play(async ({ store, other, folder }) => {
      const names = ['b/2', 'b/10', 'b-c', 'b.c', 'b0', 'B', 'a/a/a', 'a/b', 'é', '\ue000', '🦙', '日本', '~'];
      await inTurns(names, (name) => store.put(folder + name, bytesOf(name)));
      const listed = await collect(other.list(folder));
      const expected = names.map((name) => ({ name: folder + name, bytes: bytesOf(name).length }));
      assert.deepEqual(
        listed,
        expected.sort((a, b) => compareNames(a.name, b.name)),
      );
    }),
  );

  test(
    'a prefix is the beginning of a name, wherever it is cut',
    play(async ({ store, folder }) => {
      const names = ['run/1/a', 'run/1/b', 'run/10/a', 'runs/1', 'x'];
      await inTurns(names, (name) => store.put(folder + name, bytesOf('x')));
      const under = async (prefix: string): Promise<string[]> =>
        (await collect(store.list(folder + prefix))).map(({ name }) => name.slice(folder.length));
      assert.deepEqual(await under('run/'), ['run/1/a', 'run/1/b', 'run/10/a']);
      assert.deepEqual(await under('run/1'), ['run/1/a', 'run/1/b', 'run/10/a']);
      assert.deepEqual(await under('run/1/'), ['run/1/a', 'run/1/b']);
      assert.deepEqual(await under('run/1/b'), ['run/1/b']);
      assert.deepEqual(await under('run'), ['run/1/a', 'run/1/b', 'run/10/a', 'runs/1']);
      assert.deepEqual(await under('none/'), []);
      assert.deepEqual(await under('x/'), []);
      assert.deepEqual(await under(''), names);
    }),
  );

  test(
    'names with characters that mean something elsewhere are kept as they are',
    play(async ({ store, folder }) => {
      const names = ['a b+c', '%41%2F', '#?&=;', '<x>"&amp;\'', '@:,$!*()', '[{|}]^`', ' lead', '...', '.x', 'e\u0301'];
      await inTurns(names, (name) => store.put(folder + name, bytesOf(name)));
      for (const name of names) assert.equal(textOf(await store.get(folder + name)), name);
      const listed = (await collect(store.list(folder))).map(({ name }) => name.slice(folder.length));
      assert.deepEqual(listed, [...names].sort(compareNames));
      await inTurns(names, (name) => store.delete(folder + name));
      assert.deepEqual(await collect(store.list(folder)), []);
    }),
  );

  test(
    'more names than fit one page are listed whole',
    play(async ({ store, folder }) => {
      const names = Array.from({ length: 1_100 }, (_, i) => `${folder}${String(i).padStart(6, '0')}`);
      await inTurns(names, (name) => store.put(name, new Uint8Array(1)));
      assert.deepEqual(
        (await collect(store.list(folder))).map(({ name }) => name),
        names,
      );
      for await (const { name } of store.list(folder)) {
        assert.equal(name, names[0], 'a caller may stop after the first');
        break;
      }
    }),
  );
}
