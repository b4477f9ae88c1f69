import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@flexlora/runtime';
import { createVirtualDisk, WORK_DIRECTORY } from './virtual-disk.ts';

const HOME = `${WORK_DIRECTORY}/run/alice`;
const create = () =>
  createVirtualDisk({ clock: systemClock }, { runId: 'run', agentId: 'alice', uplinkBytesPerSecond: 1e9 });

test('what a training starts from is taken and not kept; what was downloaded and what was trained is', async () => {
  const { disk, writeUpdate } = create();
  await disk.makeDirectory(`${HOME}/adapters/one.part/peft`);
  for (const [name, kept] of [
    ['peft/adapter_model.safetensors', 0],
    ['prefix.bin', 1_000],
  ] as const) {
    const path = `${HOME}/adapters/one.part/${name}`;
    const file = await disk.create(path);
    await file.write(Buffer.alloc(1_000, 1), 0);
    await file.sync();
    assert.equal(await disk.size(path), kept);
  }
  await writeUpdate(`${HOME}/training/1`, [Buffer.alloc(10), Buffer.alloc(20)]);
  assert.equal(await disk.size(`${HOME}/training/1/adapter_model.safetensors`), 30);
});
