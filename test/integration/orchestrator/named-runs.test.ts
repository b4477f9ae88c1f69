import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { HEAD_FIELD, type RunId } from '@flexlora/core';
import { callUnary } from '@flexlora/runtime';
import { leaseOf } from '@flexlora/stores';
import { createRig, type Rig, toySpec } from './rig.ts';
import { refusedFor } from './workplace.ts';

const deadline = { deadlineMs: 60_000 };
const rigs: Rig[] = [];
after(() => Promise.all(rigs.map((rig) => rig.close())));

function newRig(): Rig {
  const rig = createRig();
  rigs.push(rig);
  return rig;
}

test('a run whose first event was refused is still created later, and hides no other run from the list', async () => {
  const rig = newRig();
  const station = await rig.start();
  const { runs } = station;
  // As a replica leaves it that died between naming the run and offering its creation.
  await rig.roundStore.createRun('named' as RunId);
  await assert.rejects(
    callUnary(runs, runs.pauseRun, { runId: 'named', reason: 'early' }, deadline),
    refusedFor('unknownRun', /create the run first/),
  );
  assert.equal((await rig.roundStore.readState('named' as RunId))?.version, 1);
  assert.deepEqual(await callUnary(runs, runs.listRuns, {}, deadline), { runs: [] });
  const { run } = await callUnary(runs, runs.createRun, { spec: toySpec({ runId: 'named' }) }, deadline);
  assert.equal(run?.spec?.runId, 'named');
  const listed = await callUnary(runs, runs.listRuns, {}, deadline);
  assert.deepEqual(
    listed.runs.map(({ spec }) => spec?.runId),
    ['named'],
  );
});

async function unreadableRun(rig: Rig): Promise<void> {
  const runId = 'unreadable' as RunId;
  await rig.roundStore.createRun(runId);
  const lease = leaseOf(await rig.roundStore.acquireLease(runId, 'somebody else', 600_000));
  const put = new Map([[HEAD_FIELD, 'not JSON']]);
  await rig.roundStore.commit(lease!, { expectedVersion: 0, put, drop: [], consumed: 0, replies: [] });
}

test('a run that cannot be asked for a task keeps no aggregator from the others', async () => {
  const rig = newRig();
  const { runs, aggregation } = await rig.start();
  await unreadableRun(rig);
  await callUnary(runs, runs.createRun, { spec: toySpec({ runId: 'readable' }) }, deadline);
  const claim = async () => {
    const request = { aggregatorId: 'aggregator', waitMsMax: 2_000, claimId: randomBytes(4).toString('hex') };
    return (await callUnary(aggregation, aggregation.claimTask, request, deadline)).answer?.$case;
  };
  // The last answer comes when every run was asked.
  assert.deepEqual([await claim(), await claim(), await claim()], ['task', 'task', 'comeBackAfterMs']);
});

test('a run whose state cannot be read is left out of the list, which shows the others', async () => {
  const rig = newRig();
  const { runs } = await rig.start();
  await unreadableRun(rig);
  await callUnary(runs, runs.createRun, { spec: toySpec({ runId: 'readable' }) }, deadline);
  const listed = await callUnary(runs, runs.listRuns, {}, deadline);
  assert.deepEqual(
    listed.runs.map(({ spec }) => spec?.runId),
    ['readable'],
  );
});
