import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Outcome, Phase } from '@flexlora/contracts/run/v1/run_service';
import { type AdapterManifest, manifestObjectName, type RunId } from '@flexlora/core';
import { callUnary, failureOf } from '@flexlora/runtime';
import { awaitAssignment, enrol, upload } from './fake-agent.ts';
import { claim, work } from './fake-aggregator.ts';
import { createRig, toySpec, watchUntil } from './rig.ts';
import { sha256, updateFile } from './update-file.ts';

const rig = createRig();
after(() => rig.close());
const deadline = { deadlineMs: 60_000 };

test('two agents of different memory take a run through its rounds, each at its own rank', async () => {
  const station = await rig.start();
  const spec = toySpec();
  const { run } = await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  assert.equal(run?.phase, Phase.AGGREGATING);
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'aggregator-1', stop.signal);

  await enrol(station, spec, 'large');
  await enrol(station, spec, 'small', 350);
  for (const round of [1, 2]) {
    const ranks = await Promise.all(
      ['large', 'small'].map(async (agentId) => {
        const assignment = await awaitAssignment(station, spec.runId, agentId);
        assert.equal(assignment.round, round);
        assert.equal(assignment.adapterVersion, round - 1);
        const file = updateFile(spec, assignment.ranks, round);
        const receipt = await upload(station, { runId: spec.runId, round, agentId }, file);
        assert.deepEqual(receipt, { round, sha256: sha256(file) });
        return Object.values(assignment.ranks);
      }),
    );
    assert.deepEqual(ranks, [
      [4, 4],
      [2, 2],
    ]);
  }

  const settled = await watchUntil(station, spec.runId, ({ phase }) => phase === Phase.SETTLED);
  assert.equal(settled.outcome, Outcome.COMPLETED);
  assert.deepEqual(
    settled.published.map(({ round, updates, rankCounts }) => [round, updates, rankCounts]),
    [
      [0, 0, {}],
      [1, 2, { 2: 1, 4: 1 }],
      [2, 2, { 2: 1, 4: 1 }],
    ],
  );
  for (const published of settled.published) {
    const bytes = await rig.objectStore.get(manifestObjectName(spec.runId as RunId, published.round));
    assert.equal(sha256(bytes!), published.manifestDigest, 'the digest in the state is that of the stored manifest');
    const manifest = JSON.parse(Buffer.from(bytes!).toString()) as AdapterManifest;
    assert.equal(manifest.updates.length, published.updates);
  }
  const answer = await callUnary(
    station.agents,
    station.agents.awaitAssignment,
    { runId: spec.runId, agentId: 'large', waitMsMax: 30_000 },
    deadline,
  );
  assert.deepEqual(answer.answer, {
    $case: 'runEnded',
    value: { outcome: 'completed', reason: '2 rounds are published', adapterVersion: 2 },
  });
  stop.abort();
  await working;
});

test('creating a run again is the same run, and another specification of its id is refused', async () => {
  const station = await rig.start();
  const spec = toySpec({ runId: 'again' });
  await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  const { run } = await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  assert.deepEqual(run?.spec, spec);
  const other = callUnary(station.runs, station.runs.createRun, { spec: { ...spec, seed: 8 } }, deadline);
  await assert.rejects(other, (error) => {
    const failure = failureOf(error);
    return failure.kind === 'refusal' && failure.reason === 'runExists';
  });
});

test('what is wrong with a request is refused by its field, and nothing is stored', async () => {
  const station = await rig.start();
  const bad = toySpec({ runId: 'bad', rank: { min: 1, max: 4, tiers: [2, 8], policy: 1 } });
  await assert.rejects(
    callUnary(station.runs, station.runs.createRun, { spec: bad }, deadline),
    /rank\.tiers\[1\] is 8/,
  );
  await assert.rejects(
    callUnary(station.runs, station.runs.getRun, { runId: 'bad', withoutCohort: true }, deadline),
    /there is no run bad/,
  );
  assert.ok(!(await rig.roundStore.listRuns()).includes('bad' as RunId));
  await assert.rejects(
    callUnary(
      station.agents,
      station.agents.awaitAssignment,
      { runId: 'again', agentId: 'stranger', waitMsMax: 0 },
      deadline,
    ),
    /agent stranger is not enrolled in run again; call Enrol first/,
  );
  await assert.rejects(
    enrol(station, { ...toySpec({ runId: 'again' }), baseModelDigest: 'cd'.repeat(32) }, 'other'),
    (error) => {
      const failure = failureOf(error);
      return failure.kind === 'refusal' && failure.reason === 'baseMismatch';
    },
  );
});

test('a paused run hands out nothing, and goes on where it was', async () => {
  const station = await rig.start();
  const spec = toySpec({ runId: 'paused' });
  await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  await watchUntil(station, spec.runId, ({ tasksTotal }) => tasksTotal > 0);
  const { run } = await callUnary(
    station.runs,
    station.runs.pauseRun,
    { runId: spec.runId, reason: 'lunch' },
    deadline,
  );
  assert.equal(run?.paused, true);
  assert.match(run?.standing ?? '', /paused by operator: lunch/);
  const resumed = await callUnary(station.runs, station.runs.resumeRun, { runId: spec.runId }, deadline);
  assert.equal(resumed.run?.paused, false);
  const task = await claim(station, 'aggregator-2');
  assert.ok(['again', 'paused'].includes(task.runId));
  const cancelled = await callUnary(
    station.runs,
    station.runs.cancelRun,
    { runId: spec.runId, reason: 'enough' },
    deadline,
  );
  assert.equal(cancelled.run?.outcome, Outcome.CANCELLED);
});

test('a lost aggregator costs a lease: its task is given to another, and its result is refused', async () => {
  const station = await rig.start();
  const spec = toySpec({ runId: 'lease', timing: { collectingMs: 60_000, taskLeaseMs: 100, agentReadyMs: 60_000 } });
  await callUnary(station.runs, station.runs.cancelRun, { runId: 'again', reason: 'out of the way' }, deadline);
  await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  const lost = await claim(station, 'lost');
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'kept', stop.signal);
  await watchUntil(station, spec.runId, ({ published }) => published.length === 1);
  const task = { runId: lost.runId, round: lost.round, taskId: lost.taskId, attempt: lost.attempt };
  const renewal = callUnary(
    station.aggregation,
    station.aggregation.renewTask,
    { aggregatorId: 'lost', task },
    deadline,
  );
  await assert.rejects(renewal, (error) => failureOf(error).kind === 'refusal');
  stop.abort();
  await working;
});
