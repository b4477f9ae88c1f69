import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callUnary } from '@flexlora/runtime';
import { commitUpload, openUpload, sendBytes } from './fake-agent.ts';
import { sha256, updateFile } from './update-file.ts';
import { createWorkplace, refusedFor } from './workplace.ts';

const { rig, station, collecting } = createWorkplace();
const deadline = { deadlineMs: 60_000 };
const PART_BYTES = 5 << 20;

test('a cut upload goes on at another replica from the last whole part', async () => {
  const side = 1 << 16;
  const { spec, ranks, a } = await collecting('resume', {
    modules: [{ name: 'wide', outFeatures: side, inFeatures: side, rankGroup: 'attention' }],
    rank: { min: 16, max: 16, tiers: [16], policy: 3 },
  });
  const file = updateFile(spec, ranks, 0.5);
  assert.ok(file.byteLength > PART_BYTES && file.byteLength < 2 * PART_BYTES);
  const opened = await openUpload(station(), a, file);
  // Ends in the middle of the second part, which is lost with the stream.
  assert.deepEqual(await sendBytes(station(), opened, file, 0, PART_BYTES + 1_000_000), [PART_BYTES]);
  await assert.rejects(commitUpload(station(), opened), refusedFor('badFile', new RegExp(`${PART_BYTES} of`)));

  const other = await rig.start({ role: 'transfer' });
  const { durableOffset } = await callUnary(other.transfer, other.transfer.getUpload, opened, deadline);
  assert.equal(durableOffset, PART_BYTES);
  await assert.rejects(sendBytes(other, opened, file, 1_000), refusedFor('badNumber', /start\.offset is 1000/));
  assert.deepEqual(await sendBytes(other, opened, file, durableOffset), [file.byteLength]);
  assert.deepEqual(await commitUpload(other, opened), { round: 1, sha256: sha256(file) });
});

test('bytes that were swapped behind a resumed stream do not pass the commit', async () => {
  const side = 1 << 16;
  const { spec, ranks, a, storedUpdates } = await collecting('swapped', {
    modules: [{ name: 'wide', outFeatures: side, inFeatures: side, rankGroup: 'attention' }],
    rank: { min: 16, max: 16, tiers: [16], policy: 3 },
  });
  const file = updateFile(spec, ranks, 0.5);
  const opened = await openUpload(station(), a, file);
  await sendBytes(station(), opened, file, 0, PART_BYTES);
  const poisoned = Buffer.from(file);
  poisoned.writeFloatLE(Number.POSITIVE_INFINITY, file.byteLength - 4);
  await sendBytes(station(), opened, poisoned, PART_BYTES);
  await assert.rejects(commitUpload(station(), opened), refusedFor('notFinite', /wide\.lora_B/));
  assert.deepEqual(await storedUpdates(), []);
});
