import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { renameDurably, writeDurably } from '../durable-file.ts';
import { type AgentDisk, openChunks } from './agent-disk.ts';
import { createMemoryDisk, type MemoryDisk } from './memory-disk.ts';
import { createNodeDisk } from './node-disk.ts';

/** What holds of a disk holds of both. `root` is a directory that is there, and empty. */
function onBoth(behaviour: string, body: (disk: AgentDisk, root: string) => Promise<void>): void {
  test(`files: ${behaviour}`, async () => {
    const root = await mkdtemp(join(tmpdir(), 'flexlora-disk-'));
    try {
      await body(createNodeDisk(), root);
    } finally {
      await rm(root, { recursive: true });
    }
  });
  test(`memory: ${behaviour}`, async () => {
    const disk = createMemoryDisk();
    await disk.makeDirectory('/root');
    await body(disk, '/root');
  });
}

async function write(disk: AgentDisk, path: string, text: string): Promise<void> {
  const file = await disk.create(path);
  await file.write(Buffer.from(text), 0);
  await file.close();
}

const read = async (disk: AgentDisk, path: string): Promise<string | null> =>
  (await disk.read(path))?.toString('utf8') ?? null;

onBoth('what was written is read, whole, in part and in chunks', async (disk, root) => {
  const path = join(root, 'a');
  await write(disk, path, 'abcdef');
  assert.equal(await read(disk, path), 'abcdef');
  assert.equal(await disk.size(path), 6);
  const file = await disk.open(path, 'read');
  const into = Buffer.alloc(4);
  assert.equal(await file!.read(into, 1), 4);
  assert.equal(into.toString(), 'bcde');
  assert.equal(await file!.read(into, 4), 2);
  assert.equal(await file!.read(into, 6), 0);
  await file!.close();
  const large = Buffer.alloc((1 << 20) + 7, 'x');
  await write(disk, path, large.toString());
  const sizes: number[] = [];
  for await (const chunk of (await openChunks(disk, path))!) sizes.push(chunk.byteLength);
  assert.deepEqual(sizes, [1 << 20, 7]);
});

onBoth('bytes are changed in place, appended, and zero where none were written', async (disk, root) => {
  const path = join(root, 'a');
  await write(disk, path, 'abc');
  const file = await disk.open(path, 'change');
  await file!.write(Buffer.from('X'), 1);
  await file!.write(Buffer.from('de'), 3);
  await file!.write(Buffer.from('!'), 6);
  await file!.sync();
  await file!.write(Buffer.from('Y'), 0);
  await file!.close();
  assert.equal(await read(disk, path), 'YXcde\0!');
});

onBoth('a file that is created again is empty', async (disk, root) => {
  const path = join(root, 'a');
  await write(disk, path, 'abc');
  await (await disk.create(path)).close();
  assert.equal(await disk.size(path), 0);
});

onBoth('what is absent is absent', async (disk, root) => {
  const path = join(root, 'none', 'a');
  assert.deepEqual(
    [await disk.size(path), await disk.read(path), await disk.open(path, 'change'), await openChunks(disk, path)],
    [null, null, null, null],
  );
  await disk.remove(path);
  await assert.rejects(disk.list(dirname(path)), { code: 'ENOENT' });
  await assert.rejects(disk.create(path), { code: 'ENOENT' });
  await assert.rejects(disk.rename(path, join(root, 'b')), { code: 'ENOENT' });
  await assert.rejects(disk.sync(path), { code: 'ENOENT' });
});

onBoth(
  'directories are made with those above them, listed, renamed and removed with all that is in them',
  async (disk, root) => {
    const deep = join(root, 'a', 'b', 'c');
    await disk.makeDirectory(deep);
    await disk.makeDirectory(deep);
    await write(disk, join(deep, 'file'), 'x');
    await disk.rename(join(root, 'a', 'b'), join(root, 'd'));
    assert.deepEqual([...(await disk.list(root))].sort(), ['a', 'd']);
    assert.deepEqual(await disk.list(join(root, 'a')), []);
    assert.equal(await read(disk, join(root, 'd', 'c', 'file')), 'x');
    await disk.makeDirectory(join(root, 'full', 'of'));
    await assert.rejects(disk.rename(join(root, 'd'), join(root, 'full')), { code: 'ENOTEMPTY' });
    await disk.remove(join(root, 'd'));
    assert.deepEqual([...(await disk.list(root))].sort(), ['a', 'full']);
  },
);

onBoth('a file takes the place of another by a rename', async (disk, root) => {
  await write(disk, join(root, 'a'), 'old');
  await write(disk, join(root, 'b'), 'new');
  await renameDurably(disk, join(root, 'b'), join(root, 'a'));
  assert.deepEqual(await disk.list(root), ['a']);
  assert.equal(await read(disk, join(root, 'a')), 'new');
});

async function memoryDisk(): Promise<MemoryDisk> {
  const disk = createMemoryDisk();
  await disk.makeDirectory('/d');
  return disk;
}

test('a power cut leaves the bytes that were synced, under the names that were', async () => {
  const disk = await memoryDisk();
  for (const path of ['/d/named', '/d/unnamed']) {
    const file = await disk.create(path);
    await file.write(Buffer.from('kept'), 0);
    await file.sync();
    if (path === '/d/named') await disk.sync('/d');
    await file.write(Buffer.from('lost'), 4);
  }
  assert.equal(await read(disk, '/d/named'), 'keptlost');
  disk.crash();
  assert.deepEqual(await disk.list('/d'), ['named']);
  assert.equal(await read(disk, '/d/named'), 'kept');
});

test('a power cut undoes a rename and a removal that were not synced, and none that was', async () => {
  const disk = await memoryDisk();
  await disk.makeDirectory('/e');
  for (const name of ['moved', 'removed']) await writeDurably(disk, `/d/${name}`, name);
  await disk.rename('/d/moved', '/e/moved');
  await disk.remove('/d/removed');
  disk.crash();
  assert.deepEqual([...(await disk.list('/d'))].sort(), ['moved', 'removed']);
  assert.deepEqual(await disk.list('/e'), []);
  await renameDurably(disk, '/d/moved', '/e/moved');
  disk.crash();
  assert.deepEqual(await disk.list('/d'), ['removed']);
  assert.equal(await read(disk, '/e/moved'), 'moved');
});

test('a file that was open over a power cut is not that of the disk any more', async () => {
  const disk = await memoryDisk();
  await writeDurably(disk, '/d/a', 'a');
  const file = await disk.open('/d/a', 'change');
  disk.crash();
  await file!.write(Buffer.from('b'), 0);
  await file!.sync();
  assert.equal(await read(disk, '/d/a'), 'a');
});

test('a full disk takes nothing more, gives what it has, and takes again when there is room', async () => {
  const disk = await memoryDisk();
  await writeDurably(disk, '/d/a', 'a');
  disk.fill();
  await assert.rejects(writeDurably(disk, '/d/a', 'b'), { code: 'ENOSPC' });
  await assert.rejects(disk.makeDirectory('/d/e'), { code: 'ENOSPC' });
  await disk.makeDirectory('/d');
  assert.equal(await read(disk, '/d/a'), 'a');
  disk.free();
  await writeDurably(disk, '/d/a', 'b');
  assert.equal(await read(disk, '/d/a'), 'b');
});

test('a file that is written durably is whole after a power cut at any moment: the old one or the new one', async () => {
  const seen = new Set<string | null>();
  for (let steps = 0; ; steps += 1) {
    const disk = await memoryDisk();
    await writeDurably(disk, '/d/a', 'old');
    const hasEnded = await writeDurably(cutAfter(disk, steps), '/d/a', 'new').then(
      () => true,
      () => false,
    );
    disk.crash();
    const after = await read(disk, '/d/a');
    assert.ok(after === 'old' || after === 'new', `after ${steps} steps: ${after}`);
    seen.add(after);
    if (!hasEnded) continue;
    assert.equal(after, 'new');
    break;
  }
  assert.deepEqual(seen, new Set(['old', 'new']));
});

/** The disk until so many steps were taken: from then on nothing is done. */
function cutAfter(disk: AgentDisk, steps: number): AgentDisk {
  let left = steps;
  const step = <Args extends unknown[], Result>(act: (...args: Args) => Promise<Result>) => {
    return async (...args: Args): Promise<Result> => {
      if (left === 0) throw new Error('the power is cut');
      left -= 1;
      return act(...args);
    };
  };
  return {
    ...disk,
    rename: step(disk.rename),
    sync: step(disk.sync),
    create: step(async (path) => {
      const file = await disk.create(path);
      return { ...file, write: step(file.write), sync: step(file.sync) };
    }),
  };
}
