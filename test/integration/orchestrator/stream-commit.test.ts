import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Phase } from '@flexlora/contracts/run/v1/run_service';
import { LatePolicy } from '@flexlora/contracts/run/v1/run_spec';
import { type RunId, updatesPrefix } from '@flexlora/core';
import { failureOf } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { commitUpload, messagesOf, openUpload, sendBytes, sendMessages, sendToCommit, upload } from './fake-agent.ts';
import { watchUntil } from './rig.ts';
import { sha256, updateFile } from './update-file.ts';
import { createWorkplace, refusedFor } from './workplace.ts';

const { rig, station, collecting } = createWorkplace();

const partsUnder = async (runId: string): Promise<number> => {
  let count = 0;
  for await (const _ of rig.objectStore.listUploads(updatesPrefix(runId as RunId, 1))) count += 1;
  return count;
};

test('an update that comes whole is committed with its last byte, and never read again', async () => {
  const { spec, ranks, a } = await collecting('whole');
  const file = updateFile(spec, ranks, 1);
  const read: string[] = [];
  const objectStore: ObjectStore = {
    ...rig.objectStore,
    read: (name, ...rest) => {
      read.push(name);
      return rig.objectStore.read(name, ...rest);
    },
  };
  const watched = await rig.start({ role: 'transfer' }, { objectStore });
  const opened = await openUpload(watched, a, file);
  const receipt = { round: 1, sha256: sha256(file) };
  assert.deepEqual(await sendToCommit(watched, opened, file), [
    { durableOffset: file.byteLength, receipt: undefined },
    { durableOffset: file.byteLength, receipt },
  ]);
  assert.deepEqual(read, []);
  // An agent that did not hear of it asks again.
  assert.deepEqual(await commitUpload(station(), opened), receipt);
  assert.deepEqual(await sendToCommit(watched, opened, file), [{ durableOffset: file.byteLength, receipt: undefined }]);
});

test('a part that came by another stream meanwhile is not taken for the one that was checked', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('between');
  const file = updateFile(spec, ranks, 1);
  const poisoned = Buffer.from(file);
  poisoned.writeFloatLE(Number.NaN, file.byteLength - 4);
  const objectStore: ObjectStore = {
    ...rig.objectStore,
    writePart: async (name, token, part, bytes) => {
      const tag = await rig.objectStore.writePart(name, token, part, bytes);
      await rig.objectStore.writePart(name, token, part, poisoned);
      return tag;
    },
  };
  const raced = await rig.start({ role: 'transfer' }, { objectStore });
  const opened = await openUpload(raced, a, file);
  assert.deepEqual(await sendToCommit(raced, opened, file), [{ durableOffset: file.byteLength, receipt: undefined }]);
  await assert.rejects(commitUpload(raced, opened), refusedFor('notFinite', /lora_B/));
  assert.deepEqual(await storedUpdates(), []);
});

test('a chunk that was damaged on its way breaks the stream, and the update goes on from what is durable', async () => {
  const { spec, ranks, a } = await collecting('damaged');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), a, file);
  const [start, chunk] = messagesOf(opened, file, 0, file.byteLength);
  assert.equal(chunk?.body?.$case, 'chunk');
  if (chunk?.body?.$case !== 'chunk') return;
  const data = Buffer.from(file);
  data[file.byteLength - 1]! ^= 1;
  const damaged = { body: { $case: 'chunk', value: { ...chunk.body.value, data } } } as const;
  const failure = await sendMessages(station(), [start!, damaged]).then(
    () => assert.fail('it was taken'),
    (error: unknown) => failureOf(error),
  );
  assert.equal(failure.kind, 'unavailable');
  assert.match(failure.message, /chunk at offset 0 has CRC32C \d+; it was sent with \d+: .* GetUpload/);
  await sendBytes(station(), opened, file);
  assert.deepEqual(await commitUpload(station(), opened), { round: 1, sha256: sha256(file) });
});

test('a chunk without a checksum is taken', async () => {
  const { spec, ranks, a } = await collecting('unchecked');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), a, file);
  const plain = messagesOf(opened, file, 0, file.byteLength, true).map((message) =>
    message.body?.$case === 'chunk'
      ? { body: { ...message.body, value: { ...message.body.value, crc32c: undefined } } }
      : message,
  );
  assert.equal((await sendMessages(station(), plain)).at(-1)?.receipt?.sha256, sha256(file));
});

test('an upload that nobody went on with is dropped when its round is over', async () => {
  const { spec, ranks, a, b } = await collecting('abandoned', {
    cohort: { goal: 1, minimum: 1, overSelection: 2, late: LatePolicy.REFUSE },
  });
  const file = updateFile(spec, ranks, 1);
  await sendBytes(station(), await openUpload(station(), b, file), file, 0, 100);
  await openUpload(station(), b, file);
  assert.equal(await partsUnder(spec.runId), 2);
  await upload(station(), a, file);
  await watchUntil(station(), spec.runId, ({ phase }) => phase === Phase.SETTLED);
  while ((await partsUnder(spec.runId)) > 0) await setImmediate();
});
