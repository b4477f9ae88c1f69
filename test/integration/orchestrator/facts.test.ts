import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type AgentId, type LedgerUpdate, type RunId, type Sha256Hex, updateFactsObjectName } from '@flexlora/core';
import { callUnary } from '@flexlora/runtime';
import { uploadObject } from '../../harness/upload-object.ts';
import { awaitAssignment, commitUpload, enrol, openUpload, sendBytes } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { createRig, toySpec } from './rig.ts';
import { sha256, updateFile } from './update-file.ts';
import { refusedFor } from './workplace.ts';

const rig = createRig();
after(() => rig.close());

/** Two updates of agent a for one round, both sent whole; the second is committed while nobody answers for the run. */
async function twice(runId: string) {
  const station = await rig.start({ role: 'all' });
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'aggregator', stop.signal);
  const spec = toySpec({ runId, rounds: 1 });
  await callUnary(station.runs, station.runs.createRun, { spec }, { deadlineMs: 60_000 });
  await enrol(station, spec, 'a');
  await enrol(station, spec, 'b');
  const [{ round, ranks }] = await Promise.all([
    awaitAssignment(station, spec.runId, 'a'),
    awaitAssignment(station, spec.runId, 'b'),
  ]);
  const participant = { runId: spec.runId, round, agentId: 'a' };
  const send = async (seed: number) => {
    const file = updateFile(spec, ranks, seed);
    const opened = await openUpload(station, participant, file);
    await sendBytes(station, opened, file);
    return opened;
  };
  const facts = async (): Promise<LedgerUpdate> => {
    const bytes = await rig.objectStore.get(updateFactsObjectName(runId as RunId, round, 'a' as AgentId));
    return JSON.parse(Buffer.from(bytes!).toString());
  };
  const end = async () => {
    stop.abort();
    await working;
  };
  return { station, spec, round, ranks, participant, send, facts, end };
}

test('a recovery finds the update that was acknowledged, and no other of its agent', async () => {
  const { station, send, facts, end } = await twice('twice');
  const [second, first] = [await send(2), await send(1)];
  const [refused, receipt] = await Promise.all([
    commitUpload(station, second).catch((error: unknown) => error),
    commitUpload(station, first).catch((error: unknown) => error),
  ]);
  const receipts = [refused, receipt].filter((answer) => !(answer instanceof Error)) as readonly { sha256: string }[];
  assert.equal(receipts.length, 1, 'one of the two');
  assert.equal(receipts[0]!.sha256, (await facts()).digest);
  await end();
});

test('a commit that was cut off after its facts is finished by the next, whatever that brings', async () => {
  const { station, send, ranks, spec, round, facts, end } = await twice('cut');
  const [first, second] = [await send(1), await send(2)];
  const file = updateFile(spec, ranks, 1);
  const { objectName, token } = uploadObject(first);
  assert.ok(await rig.objectStore.completeUpload(objectName, token));
  const { alpha } = spec.training!;
  const left: LedgerUpdate = {
    agentId: 'a' as AgentId,
    objectName,
    bytes: file.byteLength,
    digest: sha256(file) as Sha256Hex,
    samples: 1,
    loss: null,
    ranks,
    alpha,
    scaling: 'alphaOverRank',
  };
  const name = updateFactsObjectName(spec.runId as RunId, round, 'a' as AgentId);
  await rig.objectStore.put(name, Buffer.from(JSON.stringify(left)));
  await assert.rejects(commitUpload(station, second), refusedFor('alreadyAccepted', new RegExp(left.digest)));
  assert.equal((await commitUpload(station, first)).sha256, left.digest);
  assert.deepEqual(await facts(), left);
  await end();
});

test('an update that the object store holds is not sent again', async () => {
  const { station, send, ranks, spec, participant, facts, end } = await twice('held');
  const first = await send(1);
  const { objectName, token } = uploadObject(first);
  assert.ok(await rig.objectStore.completeUpload(objectName, token));
  const file = updateFile(spec, ranks, 1);
  const { alpha } = spec.training!;
  const left = { agentId: 'a', objectName, bytes: file.byteLength, digest: sha256(file), samples: 1, loss: null };
  const name = updateFactsObjectName(spec.runId as RunId, participant.round, 'a' as AgentId);
  await rig.objectStore.put(name, Buffer.from(JSON.stringify({ ...left, ranks, alpha, scaling: 'alphaOverRank' })));
  const again = await openUpload(station, participant, file);
  const { durableOffset } = await callUnary(station.transfer, station.transfer.getUpload, again, {
    deadlineMs: 60_000,
  });
  assert.equal(durableOffset, file.byteLength, 'nothing is left to send');
  assert.equal((await commitUpload(station, again)).sha256, sha256(file));
  assert.equal((await facts()).objectName, objectName);
  await end();
});
