import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Phase } from '@flexlora/contracts/run/v1/run_service';
import type { DownloadAdapterResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import { type AgentId, type RefusalReason, type RunId, updateObjectName, updatesPrefix } from '@flexlora/core';
import { callUnary, failureOf } from '@flexlora/runtime';
import { awaitAssignment, commitUpload, enrol, openUpload, sendBytes, upload } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { createRig, type Station, toySpec, watchUntil } from './rig.ts';
import { sha256, updateFile } from './update-file.ts';

const PART_BYTES = 8 << 20;
const deadline = { deadlineMs: 60_000 };
const rig = createRig();
const stop = new AbortController();
let station: Station;
let working: Promise<void>;

before(async () => {
  station = await rig.start();
  working = work(station, rig.objectStore, 'aggregator', stop.signal);
});
after(async () => {
  stop.abort();
  await working;
  await rig.close();
});

/** A run that collects round 1 from agents `a` and `b`. */
async function collecting(runId: string, change: Parameters<typeof toySpec>[0] = {}) {
  const spec = toySpec({ runId, rounds: 1, ...change });
  await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  await enrol(station, spec, 'a');
  await enrol(station, spec, 'b');
  const [a, b] = await Promise.all([awaitAssignment(station, runId, 'a'), awaitAssignment(station, runId, 'b')]);
  assert.deepEqual(a.ranks, b.ranks);
  return {
    spec,
    ranks: a.ranks,
    a: { runId, round: 1, agentId: 'a' },
    b: { runId, round: 1, agentId: 'b' },
    storedUpdates: async () => {
      const names: string[] = [];
      for await (const { name } of rig.objectStore.list(updatesPrefix(runId as RunId, 1))) names.push(name);
      return names;
    },
  };
}

const refusedFor = (reason: RefusalReason, message: RegExp) => (error: unknown) => {
  const failure = failureOf(error);
  assert.equal(failure.kind, 'refusal', String(error));
  assert.equal(failure.kind === 'refusal' ? failure.reason : '', reason);
  assert.match(failure.message, message);
  return true;
};

test('a repeated commit gives the same receipt, also from another replica and after the round', async () => {
  const { spec, ranks, a, b } = await collecting('repeated');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station, a, file);
  await sendBytes(station, opened, file);
  const receipt = await commitUpload(station, opened);
  const other = await rig.start({ role: 'transfer' });
  assert.deepEqual(await commitUpload(other, opened), receipt);
  await upload(station, b, updateFile(spec, ranks, 2));
  await watchUntil(station, spec.runId, ({ phase }) => phase === Phase.SETTLED);
  assert.deepEqual(await commitUpload(station, opened), receipt);
  // An agent that forgot everything but its file sends nothing again.
  const again = await openUpload(station, a, file);
  assert.deepEqual(await sendBytes(station, again, file, 0, 0), [file.byteLength]);
  assert.deepEqual(await commitUpload(station, again), receipt);
  assert.ok(await rig.objectStore.head(`runs/repeated/rounds/000001/manifest.json`));
});

test('another update of the same agent in the same round is refused', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('second');
  const early = await openUpload(station, a, updateFile(spec, ranks, 2));
  await sendBytes(station, early, updateFile(spec, ranks, 2));
  await upload(station, a, updateFile(spec, ranks, 1));
  await assert.rejects(commitUpload(station, early), refusedFor('alreadyAccepted', /round 1/));
  await assert.rejects(openUpload(station, a, updateFile(spec, ranks, 3)), refusedFor('alreadyAccepted', /SHA-256/));
  assert.equal((await storedUpdates()).filter((name) => name.endsWith('.safetensors')).length, 1);
});

test('an update that comes after its round was closed is refused as late, and nothing of it is kept', async () => {
  const { spec, ranks, a, b, storedUpdates } = await collecting('late', {
    cohort: { goal: 1, minimum: 1, overSelection: 2 },
  });
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station, b, file);
  await sendBytes(station, opened, file);
  await upload(station, a, file);
  await watchUntil(station, spec.runId, ({ phase }) => phase === Phase.SETTLED);
  await assert.rejects(commitUpload(station, opened), refusedFor('late', /takes no more updates/));
  await assert.rejects(openUpload(station, b, file), refusedFor('late', /round 1 of run late/));
  assert.equal((await storedUpdates()).filter((name) => name.endsWith('.safetensors')).length, 1);
});

test('a late update whose replica died after making it an object is deleted by the run itself', async () => {
  const { spec, ranks, a, b, storedUpdates } = await collecting('orphan', {
    cohort: { goal: 1, minimum: 1, overSelection: 2 },
  });
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station, b, file);
  await sendBytes(station, opened, file);
  const [attempt, token] = JSON.parse(Buffer.from(opened.uploadId, 'base64url').toString());
  const orphan = updateObjectName(spec.runId as RunId, 1, 'b' as AgentId, attempt);
  assert.ok(await rig.objectStore.completeUpload(orphan, token));
  await upload(station, a, file);
  await watchUntil(station, spec.runId, ({ phase }) => phase === Phase.SETTLED);
  await assert.rejects(commitUpload(station, opened), refusedFor('late', /takes no more updates/));
  while ((await storedUpdates()).includes(orphan)) await setImmediate();
  assert.equal((await storedUpdates()).length, 2, 'the accepted update and its facts');
});

test('bytes that are not what was declared are refused at the commit, and nothing of them is kept', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('digest');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station, a, file, sha256(Buffer.from('another file')));
  await sendBytes(station, opened, file);
  await assert.rejects(commitUpload(station, opened), refusedFor('badDigest', new RegExp(sha256(file))));
  assert.deepEqual(await storedUpdates(), []);
  await assert.rejects(commitUpload(station, opened), refusedFor('unknownUpload', /open a new one/));
  // The agent is still in the round.
  await upload(station, a, file);
});

test('a number that is not finite is refused while it is sent, by tensor and place', async () => {
  const { spec, ranks, a, storedUpdates } = await collecting('nan');
  const file = updateFile(spec, ranks, 1);
  file.writeFloatLE(Number.NaN, file.byteLength - 4);
  const opened = await openUpload(station, a, file);
  await assert.rejects(
    sendBytes(station, opened, file),
    refusedFor('notFinite', /tensor base_model\.model\.layers\.0\.up_proj\.lora_B\.weight .*row 9, column 3/),
  );
  assert.deepEqual(await storedUpdates(), []);
  await assert.rejects(commitUpload(station, opened), refusedFor('unknownUpload', /open a new one/));
});

test('another rank than the assigned one is refused: by its size before a byte is sent, by its header when the size fits', async () => {
  const { spec, a } = await collecting('rank');
  const wrong = updateFile(spec, { attention: 2, 'feed-forward': 2 }, 1);
  const opening = callUnary(
    station.transfer,
    station.transfer.openUpload,
    { ...a, bytes: 100, sha256: sha256(wrong), samples: 1 },
    deadline,
  );
  await assert.rejects(opening, refusedFor('badFile', /bytes is 100; .* allowed: above/));
  const opened = await openUpload(station, a, wrong);
  await assert.rejects(
    sendBytes(station, opened, wrong),
    refusedFor('rankOutOfRange', /is 2; the assignment allows 4/),
  );
});

test('a cut upload goes on at another replica from the last whole part', async () => {
  const side = 1 << 16;
  const { spec, ranks, a } = await collecting('resume', {
    modules: [{ name: 'wide', outFeatures: side, inFeatures: side, rankGroup: 'attention' }],
    rank: { min: 20, max: 20, tiers: [20], policy: 3 },
  });
  const file = updateFile(spec, ranks, 0.5);
  assert.ok(file.byteLength > PART_BYTES && file.byteLength < 2 * PART_BYTES);
  const opened = await openUpload(station, a, file);
  // Ends in the middle of the second part, which is lost with the stream.
  assert.deepEqual(await sendBytes(station, opened, file, 0, PART_BYTES + 1_000_000), [PART_BYTES]);
  await assert.rejects(commitUpload(station, opened), refusedFor('badFile', new RegExp(`${PART_BYTES} of`)));

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
    rank: { min: 20, max: 20, tiers: [20], policy: 3 },
  });
  const file = updateFile(spec, ranks, 0.5);
  const opened = await openUpload(station, a, file);
  await sendBytes(station, opened, file, 0, PART_BYTES);
  const poisoned = Buffer.from(file);
  poisoned.writeFloatLE(Number.POSITIVE_INFINITY, file.byteLength - 4);
  await sendBytes(station, opened, poisoned, PART_BYTES);
  await assert.rejects(commitUpload(station, opened), refusedFor('notFinite', /wide\.lora_B/));
  assert.deepEqual(await storedUpdates(), []);
});

test('an upload that was given up is gone', async () => {
  const { spec, ranks, a } = await collecting('aborted');
  const file = updateFile(spec, ranks, 1);
  const opened = await openUpload(station, a, file);
  await sendBytes(station, opened, file);
  await callUnary(station.transfer, station.transfer.abortUpload, opened, deadline);
  await callUnary(station.transfer, station.transfer.abortUpload, opened, deadline);
  await assert.rejects(commitUpload(station, opened), refusedFor('unknownUpload', /open a new one/));
});

test('a download is the prefix of its rank, from any offset', async () => {
  const { spec } = await collecting('download');
  const whole = await download(spec.runId, { attention: 2, 'feed-forward': 3 }, 0);
  // Component j of the fake aggregator is filled with j + 1: 2 × (8 + 6) and 3 × (10 + 8) numbers.
  const expected = Buffer.concat([
    Buffer.alloc(14 * 4, 1),
    Buffer.alloc(14 * 4, 2),
    ...[1, 2, 3].map((fill) => Buffer.alloc(18 * 4, fill)),
  ]);
  assert.deepEqual(whole.bytes, expected);
  assert.equal(whole.layoutBytes, expected.byteLength);
  assert.equal(whole.componentDigests[0], sha256(Buffer.alloc(14 * 4, 1)));
  for (const offset of [1, 14 * 4 * 2, 14 * 4 * 2 + 5, expected.byteLength]) {
    const rest = await download(spec.runId, { attention: 2, 'feed-forward': 3 }, offset);
    assert.deepEqual(rest.bytes, expected.subarray(offset), `from ${offset}`);
    assert.equal(rest.firstOffset, offset === expected.byteLength ? null : offset);
  }
  await assert.rejects(
    download(spec.runId, { attention: 2, 'feed-forward': 0 }, 0),
    refusedFor('rankOutOfRange', /is 0/),
  );
  await assert.rejects(download('nobody', {}, 0), refusedFor('unknownRun', /nobody/));
  await assert.rejects(
    download(spec.runId, { attention: 1, 'feed-forward': 1 }, 0, 1),
    refusedFor('notPublished', /version 1/),
  );
});

async function download(runId: string, ranks: Record<string, number>, offset: number, version = 0) {
  const stream = station.transfer.downloadAdapter({ runId, version, ranks, offset });
  const chunks: Buffer[] = [];
  let layoutBytes = 0;
  let firstOffset: number | null = null;
  let componentDigests: readonly string[] = [];
  for await (const { body } of stream as AsyncIterable<DownloadAdapterResponse>) {
    if (body?.$case === 'layout') {
      layoutBytes = body.value.bytes;
      componentDigests = body.value.objects.flatMap(({ componentSha256 }) => componentSha256);
    }
    if (body?.$case === 'chunk') {
      firstOffset ??= body.value.offset;
      chunks.push(body.value.data);
    }
  }
  return { bytes: Buffer.concat(chunks), layoutBytes, firstOffset, componentDigests };
}
