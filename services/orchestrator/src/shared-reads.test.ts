import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryObjectStore, type ObjectStore, ObjectStoreFault } from '@flexlora/stores';
import { createSharedReads } from './shared-reads.ts';

const PART = 'runs/toy/rounds/1/adapter/attention-0.bin';
const OTHER = 'runs/toy/rounds/1/adapter/attention-1.bin';
const UPDATE = 'runs/toy/rounds/1/updates/alice.safetensors';
const BYTES = 100;

async function start(limits = { partBytesMax: BYTES, bytesMax: 1_000 }) {
  const store = createMemoryObjectStore();
  for (const name of [PART, OTHER, UPDATE]) await store.put(name, Buffer.alloc(2 * BYTES, name));
  const asked: string[] = [];
  let fault: Error | null = null;
  const counting: ObjectStore = {
    ...store,
    get: (name, range, signal) => {
      asked.push(`get ${name}`);
      return fault === null ? store.get(name, range, signal) : Promise.reject(fault);
    },
    read: (name, range, signal) => {
      asked.push(`read ${name}`);
      return store.read(name, range, signal);
    },
  };
  const shared = createSharedReads(counting, limits);
  const readAll = async (name: string, start: number, end: number): Promise<Buffer> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of shared.read(name, { start, end })) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const fail = (error: Error | null): void => {
    fault = error;
  };
  return { asked, readAll, fail };
}

test('a part of an adapter is asked for once, however many download it, and from whatever offset', async () => {
  const { asked, readAll } = await start();
  const whole = Buffer.alloc(BYTES, PART);
  const downloads = await Promise.all(Array.from({ length: 50 }, (_, start) => readAll(PART, start, BYTES)));
  downloads.forEach((bytes, start) => {
    assert.deepEqual(bytes, whole.subarray(start));
  });
  assert.deepEqual(await readAll(PART, 7, BYTES), whole.subarray(7));
  assert.deepEqual(asked, [`get ${PART}`]);
});

test('what is large, and what is no adapter, is read for each', async () => {
  const { asked, readAll } = await start();
  for (let n = 0; n < 2; n += 1) {
    assert.equal((await readAll(PART, 0, BYTES + 1)).byteLength, BYTES + 1);
    assert.equal((await readAll(UPDATE, 0, BYTES)).byteLength, BYTES);
  }
  assert.deepEqual(asked, [`read ${PART}`, `read ${UPDATE}`, `read ${PART}`, `read ${UPDATE}`]);
});

test('no more is kept than allowed: the part that was not used for longest goes', async () => {
  const { asked, readAll } = await start({ partBytesMax: BYTES, bytesMax: 2 * BYTES });
  await readAll(PART, 0, BYTES);
  await readAll(OTHER, 0, BYTES);
  await readAll(PART, 0, BYTES);
  await readAll(OTHER, 0, BYTES - 1);
  await readAll(PART, 0, BYTES);
  assert.equal(asked.length, 3);
  await readAll(OTHER, 0, BYTES);
  assert.equal(asked.length, 4);
});

test('a fault is told to those who asked, and the next one asks again', async () => {
  const { asked, readAll, fail } = await start();
  fail(new ObjectStoreFault('S3 is away'));
  const first = await Promise.allSettled([readAll(PART, 0, BYTES), readAll(PART, 0, BYTES)]);
  assert.deepEqual(
    first.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  fail(null);
  assert.equal((await readAll(PART, 0, BYTES)).byteLength, BYTES);
  assert.equal(asked.length, 2);
  await assert.rejects(readAll('runs/toy/rounds/2/adapter/none.bin', 0, BYTES), /there is no object|none\.bin/);
});
