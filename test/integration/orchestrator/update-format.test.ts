import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UpdateFormat } from '@flexlora/contracts/run/v1/run_spec';
import { callUnary } from '@flexlora/runtime';
import { openUpload, sendBytes, upload } from './fake-agent.ts';
import { sha256, updateFile } from './update-file.ts';
import { createWorkplace, refusedFor } from './workplace.ts';

const { station, collecting } = createWorkplace();
const deadline = { deadlineMs: 60_000 };

test('an update of another type than the run asks for is refused by its header, with what to do', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('int8', { updateFormat: UpdateFormat.INT8 });
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station(), a, file);
  await assert.rejects(
    sendBytes(station(), opened, file),
    refusedFor(
      'badTensor',
      /has dtype F32; allowed: I8, by the run's update format int8: convert it, as a client agent/,
    ),
  );
  assert.deepEqual(await storedUpdates(), []);
});

test('an update of fewer bytes than its format has is refused before a byte is sent', async () => {
  const { spec, ranks, a } = await collecting('f32', { updateFormat: UpdateFormat.F32 });
  const file = updateFile(spec, ranks, 1);
  const factors = 4 * 4 * (8 + 6 + 10 + 8);
  const opening = callUnary(
    station().transfer,
    station().transfer.openUpload,
    { ...a, bytes: factors, sha256: sha256(file), samples: 1 },
    deadline,
  );
  await assert.rejects(
    opening,
    refusedFor('badFile', new RegExp(`has ${factors} \\(f32\\) bytes .* above ${factors},`)),
  );
  assert.equal((await upload(station(), a, file)).sha256, sha256(file));
});
