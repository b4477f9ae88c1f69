import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createFileObjectStore } from '@flexlora/stores';

const KILLS = 8;

test('file store: whatever moment its process is killed at, objects are whole and those acknowledged are there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flexlora-killed-'));
  const acknowledged = new Set<string>();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const writer = fork(fileURLToPath(new URL('file-kill-writer.ts', import.meta.url)), [directory, `life-${kill}`]);
    const exited = once(writer, 'exit');
    writer.on('message', (name: string) => {
      acknowledged.add(name);
      // Another point of the writer's work each time: it goes on writing while this message is on its way.
      if (acknowledged.size % (kill + 3) === 0) writer.kill('SIGKILL');
    });
    const [, signal] = await exited;
    assert.equal(signal, 'SIGKILL', 'the writer did not end by itself');
  }
  assert.ok(acknowledged.size >= KILLS);

  const store = createFileObjectStore({ directory });
  const found = new Set<string>();
  for await (const { name } of store.list('')) {
    const bytes = await store.get(name);
    assert.ok(bytes !== null && bytes.length > 32);
    const digest = createHash('sha256').update(bytes.subarray(32)).digest();
    assert.ok(digest.equals(bytes.subarray(0, 32)), `${name} is whole`);
    found.add(name);
  }
  for (const name of acknowledged) assert.ok(found.has(name), `${name} is there`);
  assert.deepEqual(await readdir(join(directory, 'temporary')), [], 'what the kills left is swept');
  await rm(directory, { recursive: true, force: true });
});
