import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeComponent, type ModuleComponents } from '@flexlora/core';
import { createMemoryObjectStore, type ObjectStore } from '@flexlora/stores';
import { PART_BYTES } from './limits.ts';
import { createFaultyStore } from './testing/faulty-store.ts';
import { hastyClock } from './testing/hasty-clock.ts';
import { sha256 } from './testing/test-round.ts';
import { createNoise } from './testing/update-file.ts';
import { writeAdapter } from './write-adapter.ts';

const NAME = 'runs/run-1/rounds/000001/adapter/attention-0-1.bin';
const FOREVER = new AbortController().signal;
const deps = { clock: hastyClock, random: Math.random };

function components(out: number, columns: number, rank: number): ModuleComponents {
  const noise = createNoise(out + columns);
  return {
    out,
    in: columns,
    rank,
    u: Float32Array.from({ length: rank * out }, noise),
    singularValues: Float64Array.from({ length: rank }, (_, j) => rank - j),
    v: Float32Array.from({ length: rank * columns }, noise),
  };
}

/** Three components of 4 MB, the last without the second module: two parts, cut inside a component. */
const LARGE = [components(5, 900_000, 3), components(4, 100_000, 2)];
const slabs = [0, 1, 2].map((component) => encodeComponent(LARGE, component));
const whole = Buffer.concat(slabs);

async function namesIn(store: ObjectStore): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of store.list('')) names.push(name);
  return names;
}

test('a large object is written in parts and has the bytes and digests of its components', async () => {
  assert.ok(whole.byteLength > PART_BYTES);
  const store = createMemoryObjectStore();
  const written = await writeAdapter(store, deps, NAME, LARGE, FOREVER);
  assert.deepEqual(written, { bytes: whole.byteLength, digest: sha256(whole), componentDigests: slabs.map(sha256) });
  assert.ok(whole.equals((await store.get(NAME))!));
});

test('an object of exactly one part is put at once, one element more goes in parts', async () => {
  const elements = PART_BYTES / 4;
  for (const [columns, uploads] of [
    [elements - 1, 0],
    [elements, 1],
  ] as const) {
    const { store, calls } = createFaultyStore(createMemoryObjectStore(), {});
    const module = components(1, columns, 1);
    await writeAdapter(store, deps, NAME, [module], FOREVER);
    assert.equal(calls.get('beginUpload') ?? 0, uploads);
    assert.ok(Buffer.from(encodeComponent([module], 0)).equals((await store.get(NAME))!));
  }
});

test('a part that fails is written again', async () => {
  const { store, calls } = createFaultyStore(createMemoryObjectStore(), { beginUpload: 1, writePart: 2 });
  await writeAdapter(store, deps, NAME, LARGE, FOREVER);
  assert.equal(calls.get('writePart'), 4);
  assert.ok(whole.equals((await store.get(NAME))!));
});

test('an upload whose completion was answered into the void is complete', async () => {
  const { store } = createFaultyStore(createMemoryObjectStore(), { completeUpload: 1 }, 'lostAnswers');
  const { digest } = await writeAdapter(store, deps, NAME, LARGE, FOREVER);
  assert.equal(sha256((await store.get(NAME))!), digest);
});

test('an upload that vanished is a fault, not a result', async () => {
  const memory = createMemoryObjectStore();
  const store: ObjectStore = { ...memory, completeUpload: async () => false };
  await assert.rejects(
    writeAdapter(store, deps, NAME, LARGE, FOREVER),
    /vanished, and the object has no bytes instead of/,
  );
});

test('an upload that is given up midway leaves no object and no parts', async () => {
  const stop = new AbortController();
  const memory = createMemoryObjectStore();
  const tokens: Parameters<ObjectStore['writePart']>[1][] = [];
  const store: ObjectStore = {
    ...memory,
    writePart: async (name, token, part, bytes) => {
      const tag = await memory.writePart(name, token, part, bytes);
      tokens.push(token);
      stop.abort(new Error('the lease was lost'));
      stop.signal.throwIfAborted();
      return tag;
    },
  };
  await assert.rejects(writeAdapter(store, deps, NAME, LARGE, stop.signal), { message: 'the lease was lost' });
  assert.equal(tokens.length, 1);
  assert.equal(await memory.listParts(NAME, tokens[0]!), null);
  assert.deepEqual(await namesIn(memory), []);
});
