import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@flexlora/runtime';
import { createVirtualDisk, WORK_DIRECTORY } from './virtual-disk.ts';

const HOME = `${WORK_DIRECTORY}/run/alice`;

test('an update that waits to be sent is read as fast as the line carries it, and any other file at once', async () => {
  const slept: number[] = [];
  const clock = { ...systemClock, sleep: async (ms: number) => void slept.push(ms) };
  const options = { runId: 'run', agentId: 'alice', uplinkBytesPerSecond: 1_000 };
  const { disk, writeUpdate } = createVirtualDisk({ clock }, options);
  for (const directory of ['training/1', 'updates/1'])
    await writeUpdate(`${HOME}/${directory}`, [Buffer.alloc(100, 1), Buffer.alloc(200, 2)]);
  for (const directory of ['training/1', 'updates/1']) {
    const file = await disk.open(`${HOME}/${directory}/adapter_model.safetensors`, 'read');
    const into = Buffer.alloc(300);
    assert.equal(await file?.read(into, 0), 300);
    assert.deepEqual([into[0], into[299]], [1, 2]);
  }
  assert.deepEqual(slept, [300]);
});

test('what was removed is no longer kept, also not for a power cut', async () => {
  const options = { runId: 'run', agentId: 'alice', uplinkBytesPerSecond: 1_000 };
  const { disk, writeUpdate, crash } = createVirtualDisk({ clock: systemClock }, options);
  await writeUpdate(`${HOME}/updates/1`, [Buffer.alloc(100)]);
  await disk.sync(`${HOME}/updates/1/adapter_model.safetensors`);
  await disk.sync(`${HOME}/updates/1`);
  await disk.remove(`${HOME}/updates/1`);
  await disk.remove(`${HOME}/nowhere/1`);
  crash();
  assert.deepEqual(await disk.list(`${HOME}/updates`), []);
});
