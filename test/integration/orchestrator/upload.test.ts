import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Phase } from '@flexlora/contracts/run/v1/run_service';
import { LatePolicy } from '@flexlora/contracts/run/v1/run_spec';
import { callUnary } from '@flexlora/runtime';
import { uploadObject } from '../../harness/upload-object.ts';
import { commitUpload, openUpload, sendBytes, upload } from './fake-agent.ts';
import { watchUntil } from './rig.ts';
import { sha256, updateFile } from './update-file.ts';
import { createWorkplace, refusedFor } from './workplace.ts';

const { rig, station, collecting } = createWorkplace();
const deadline = { deadlineMs: 60_000 };

test('a repeated commit gives the same receipt, also from another replica and after the round', async () => {
  const { spec, ranks, a, b } = await collecting('repeated');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), a, file);
  await sendBytes(station(), opened, file);
  const receipt = await commitUpload(station(), opened);
  const other = await rig.start({ role: 'transfer' });
  assert.deepEqual(await commitUpload(other, opened), receipt);
  await upload(station(), b, updateFile(spec, ranks, 2));
  await watchUntil(station(), spec.runId, ({ phase }) => phase === Phase.SETTLED);
  assert.deepEqual(await commitUpload(station(), opened), receipt);
  // An agent that forgot everything but its file sends nothing again.
  const again = await openUpload(station(), a, file);
  assert.deepEqual(await sendBytes(station(), again, file, 0, 0), [file.byteLength]);
  assert.deepEqual(await commitUpload(station(), again), receipt);
  assert.ok(await rig.objectStore.head(`runs/repeated/rounds/000001/manifest.json`));
});

test('another update of the same agent in the same round is refused', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('second');
  const early = await openUpload(station(), a, updateFile(spec, ranks, 2));
  await sendBytes(station(), early, updateFile(spec, ranks, 2));
  await upload(station(), a, updateFile(spec, ranks, 1));
  await assert.rejects(commitUpload(station(), early), refusedFor('alreadyAccepted', /round 1/));
  await assert.rejects(openUpload(station(), a, updateFile(spec, ranks, 3)), refusedFor('alreadyAccepted', /SHA-256/));
  assert.equal((await storedUpdates()).filter((name) => name.endsWith('.safetensors')).length, 1);
});

test('an update that comes after its round was closed is refused as late, and nothing of it is kept', async () => {
  const { spec, ranks, a, b, storedUpdates } = await collecting('late', {
    cohort: { goal: 1, minimum: 1, overSelection: 2, late: LatePolicy.REFUSE },
  });
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), b, file);
  await sendBytes(station(), opened, file);
  await upload(station(), a, file);
  await watchUntil(station(), spec.runId, ({ phase }) => phase === Phase.SETTLED);
  await assert.rejects(commitUpload(station(), opened), refusedFor('late', /no longer takes updates/));
  await assert.rejects(openUpload(station(), b, file), refusedFor('late', /round 1 no longer takes/));
  assert.equal((await storedUpdates()).filter((name) => name.endsWith('.safetensors')).length, 1);
});

test('a late update whose replica died after making it an object is swept once its round is published', async () => {
  const { spec, ranks, a, b, storedUpdates } = await collecting('orphan', {
    cohort: { goal: 1, minimum: 1, overSelection: 2, late: LatePolicy.REFUSE },
  });
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), b, file);
  await sendBytes(station(), opened, file);
  const { objectName: orphan, token } = uploadObject(opened);
  assert.ok(await rig.objectStore.completeUpload(orphan, token));
  await upload(station(), a, file);
  await watchUntil(station(), spec.runId, ({ phase }) => phase === Phase.SETTLED);
  await assert.rejects(commitUpload(station(), opened), refusedFor('late', /no longer takes updates/));
  while ((await storedUpdates()).includes(orphan)) await setImmediate();
  assert.equal((await storedUpdates()).length, 2, 'the accepted update and its facts');
});

test('an id that says something else of its file is of no upload, and the file stays', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('forged');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), a, file);
  await sendBytes(station(), opened, file);
  const fields = JSON.parse(Buffer.from(opened.uploadId, 'base64url').toString()) as unknown[];
  for (const [field, value] of [
    [2, 40 << 20],
    [3, sha256(Buffer.from('another file'))],
    [4, 1_000],
  ] as const) {
    const uploadId = Buffer.from(JSON.stringify(fields.with(field, value))).toString('base64url');
    const forged = { ...opened, uploadId };
    await assert.rejects(commitUpload(station(), forged), refusedFor('unknownUpload', /not open/));
    await assert.rejects(sendBytes(station(), forged, file));
  }
  const receipt = await commitUpload(station(), opened);
  assert.equal(receipt.sha256, sha256(file));
  assert.equal((await storedUpdates()).length, 2, 'the update and its facts');
});

test('bytes that are not what was declared are refused with the last of them, and nothing of them is kept', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('digest');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), a, file, sha256(Buffer.from('another file')));
  await assert.rejects(sendBytes(station(), opened, file), refusedFor('badDigest', new RegExp(sha256(file))));
  assert.deepEqual(await storedUpdates(), []);
  await assert.rejects(commitUpload(station(), opened), refusedFor('unknownUpload', /open a new one/));
  // The agent is still in the round.
  await upload(station(), a, file);
});

test('a number that is not finite is refused while it is sent, by tensor and place', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('nan');
  const file = updateFile(spec, ranks, 1);
  file.writeFloatLE(Number.NaN, file.byteLength - 4);
  const opened = await openUpload(station(), a, file);
  await assert.rejects(
    sendBytes(station(), opened, file),
    refusedFor('notFinite', /tensor base_model\.model\.layers\.0\.up_proj\.lora_B\.weight .*row 9, column 3/),
  );
  assert.deepEqual(await storedUpdates(), []);
  await assert.rejects(commitUpload(station(), opened), refusedFor('unknownUpload', /open a new one/));
});

test('another rank than the assigned one is refused: by its size before a byte is sent, by its header when the size fits', async () => {
  const { spec, a } = await collecting('rank');
  const wrong = updateFile(spec, { attention: 2, 'feed-forward': 2 }, 1);
  const opening = callUnary(
    station().transfer,
    station().transfer.openUpload,
    { ...a, bytes: 100, sha256: sha256(wrong), samples: 1 },
    deadline,
  );
  await assert.rejects(opening, refusedFor('badFile', /bytes is 100; .* allowed: above/));
  const opened = await openUpload(station(), a, wrong);
  await assert.rejects(
    sendBytes(station(), opened, wrong),
    refusedFor('rankOutOfRange', /is 2; the assignment allows 4/),
  );
});

test('an upload that was given up is gone', async () => {
  const { spec, ranks, a } = await collecting('aborted');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), a, file);
  await sendBytes(station(), opened, file);
  await callUnary(station().transfer, station().transfer.abortUpload, opened, deadline);
  await callUnary(station().transfer, station().transfer.abortUpload, opened, deadline);
  await assert.rejects(commitUpload(station(), opened), refusedFor('unknownUpload', /open a new one/));
});
