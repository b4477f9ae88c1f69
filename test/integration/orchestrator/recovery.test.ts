import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { MemberState, Outcome, Phase } from '@flexlora/contracts/run/v1/run_service';
import { type AdapterManifest, manifestObjectName, type RunId } from '@flexlora/core';
import { callUnary } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { awaitAssignment, commitUpload, enrol, openUpload, sendBytes, upload } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { createRig, type Rig, type Station, toySpec, watchUntil } from './rig.ts';
import { sha256, updateFile } from './update-file.ts';

const deadline = { deadlineMs: 60_000 };
const rigs: Rig[] = [];
after(() => Promise.all(rigs.map((rig) => rig.close())));

function newRig(objectStore?: ObjectStore): Rig {
  const rig = createRig(objectStore);
  rigs.push(rig);
  return rig;
}

async function whileWorking<T>(rig: Rig, station: Station, doing: () => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'aggregator', stop.signal);
  try {
    return await doing();
  } finally {
    stop.abort();
    await working;
  }
}

test('a run whose round store lost everything goes on from its last adapter, with the updates that were acknowledged', async () => {
  const before = newRig();
  const first = await before.start();
  const spec = toySpec({ runId: 'recovered' });
  await callUnary(first.runs, first.runs.createRun, { spec }, deadline);
  await whileWorking(before, first, async () => {
    await enrol(first, spec, 'a');
    await enrol(first, spec, 'b');
    const takePart = async (agentId: string): Promise<void> => {
      const { round, ranks } = await awaitAssignment(first, spec.runId, agentId);
      await upload(first, { runId: spec.runId, round, agentId }, updateFile(spec, ranks, 1));
    };
    await Promise.all(['a', 'b'].map(takePart));
    await watchUntil(first, spec.runId, ({ published }) => published.length === 2);
  });
  const [{ ranks }] = await Promise.all([
    awaitAssignment(first, spec.runId, 'a'),
    awaitAssignment(first, spec.runId, 'b'),
  ]);
  const kept = updateFile(spec, ranks, 2);
  await upload(first, { runId: spec.runId, round: 2, agentId: 'a' }, kept);
  // Complete, but never committed: nobody acknowledged it, nobody verified it.
  const unverified = await openUpload(first, { runId: spec.runId, round: 2, agentId: 'b' }, kept);
  await sendBytes(first, unverified, kept);
  const lost = await watchUntil(first, spec.runId, ({ updatesAccepted }) => updatesAccepted === 1);
  await first.stop();

  const after = newRig(before.objectStore);
  const second = await after.start();
  const recovered = await until(second, spec.runId);
  assert.deepEqual(recovered.spec, spec);
  const facts = lost.published.map(({ publishedAtMs: _, ...rest }) => rest);
  assert.deepEqual(
    recovered.published.map(({ publishedAtMs: _, ...rest }) => rest),
    facts,
  );
  assert.deepEqual(
    recovered.cohort.map(({ agentId, state }) => [agentId, state]),
    [['a', MemberState.ACCEPTED]],
  );

  await enrol(second, spec, 'a');
  await enrol(second, spec, 'b');
  const settled = await whileWorking(after, second, async () => {
    const assignment = await awaitAssignment(second, spec.runId, 'b');
    assert.deepEqual([assignment.round, assignment.adapterVersion], [2, 1]);
    assert.deepEqual(await commitUpload(second, unverified), { round: 2, sha256: sha256(kept) });
    return watchUntil(second, spec.runId, ({ phase }) => phase === Phase.SETTLED);
  });
  assert.equal(settled.outcome, Outcome.COMPLETED);
  const bytes = await after.objectStore.get(manifestObjectName(spec.runId as RunId, 2));
  const manifest = JSON.parse(Buffer.from(bytes!).toString()) as AdapterManifest;
  assert.deepEqual(
    manifest.updates.map(({ agentId, digest }) => [agentId, digest]),
    [
      ['a', sha256(kept)],
      ['b', sha256(kept)],
    ],
  );
});

/** The run as soon as it is there again. */
async function until(station: Station, runId: string) {
  for (;;) {
    const { runs } = await callUnary(station.runs, station.runs.listRuns, {}, deadline);
    if (runs.some(({ spec }) => spec?.runId === runId)) return watchUntil(station, runId, () => true);
  }
}
