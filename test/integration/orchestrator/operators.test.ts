import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Outcome, Phase, type Run } from '@flexlora/contracts/run/v1/run_service';
import { LatePolicy, type RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { type AdapterManifest, manifestObjectName, type RunId } from '@flexlora/core';
import { callUnary } from '@flexlora/runtime';
import { awaitAssignment, commitUpload, enrol, openUpload, sendBytes, upload } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { createRig, type Rig, type Station, toySpec, watchUntil } from './rig.ts';
import { updateFile } from './update-file.ts';
import { refusedFor } from './workplace.ts';

const deadline = { deadlineMs: 60_000 };
const rigs: Rig[] = [];
after(() => Promise.all(rigs.map((rig) => rig.close())));

function newRig(objectStore?: Rig['objectStore']): Rig {
  const rig = createRig(objectStore);
  rigs.push(rig);
  return rig;
}

interface Scene {
  readonly rig: Rig;
  readonly station: Station;
  readonly spec: RunSpec;
  /** Both agents take part in the open round; resolves when it is published. */
  playRound(fill: number): Promise<Run>;
  manifest(round: number, runId?: string): Promise<AdapterManifest>;
  end(): Promise<void>;
}

/** A run of agents a and b with an aggregator at work. */
async function scene(change: Partial<RunSpec>, rig = newRig()): Promise<Scene> {
  const station = await rig.start();
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'aggregator', stop.signal);
  const spec = toySpec({ rounds: 3, ...change });
  await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  for (const agent of ['a', 'b']) await enrol(station, spec, agent);
  return {
    rig,
    station,
    spec,
    playRound: async (fill) => {
      const takePart = async (agentId: string): Promise<number> => {
        const { round, ranks } = await awaitAssignment(station, spec.runId, agentId);
        await upload(station, { runId: spec.runId, round, agentId }, updateFile(spec, ranks, fill));
        return round;
      };
      const [round] = await Promise.all(['a', 'b'].map(takePart));
      return watchUntil(station, spec.runId, ({ published }) => published.length > round!);
    },
    manifest: async (round, runId = spec.runId) => {
      const bytes = await rig.objectStore.get(manifestObjectName(runId as RunId, round));
      return JSON.parse(Buffer.from(bytes!).toString());
    },
    end: async () => {
      stop.abort();
      await working;
      await station.stop();
    },
  };
}

test('a roll-back publishes the earlier adapter as the open round, and the run has one round more', async () => {
  const { station, spec, playRound, manifest, end } = await scene({ runId: 'rolled', rounds: 2 });
  await playRound(1);
  const request = { runId: spec.runId, toRound: 0, reason: 'it diverged' };
  await callUnary(station.runs, station.runs.rollBackRun, request, deadline);
  const rolled = await watchUntil(station, spec.runId, ({ published }) => published.length === 3);
  assert.deepEqual(
    rolled.published.map(({ rolledBackTo }) => rolledBackTo),
    [undefined, undefined, 0],
  );
  assert.equal(rolled.published[2]!.adapterDigest, rolled.published[0]!.adapterDigest);
  assert.deepEqual((await manifest(2)).objects, (await manifest(0)).objects);
  const ended = await playRound(2);
  assert.deepEqual([ended.phase, ended.outcome, ended.round], [Phase.SETTLED, Outcome.COMPLETED, 3]);
  await assert.rejects(
    callUnary(station.runs, station.runs.rollBackRun, request, deadline),
    refusedFor('wrongPhase', /has ended: fork it from round 0/),
  );
  await end();
});

test('a fork begins with the adapter of its origin, which must fit and be published', async () => {
  const { station, spec, playRound, manifest, end } = await scene({ runId: 'origin', rounds: 1 });
  await playRound(1);
  const fork = (change: Partial<RunSpec>, fromRound = 1) => {
    const request = { spec: { ...spec, runId: 'forked', ...change }, fromRunId: spec.runId, fromRound };
    return callUnary(station.runs, station.runs.forkRun, request, deadline);
  };
  await assert.rejects(fork({}, 7), refusedFor('notPublished', /round is 7; allowed of run origin: 0 to 1/));
  await assert.rejects(
    fork({ modules: spec.modules.slice(1) }),
    refusedFor('badSpec', /modules\[0\] is .*allowed: the 2 modules of run origin/),
  );
  await assert.rejects(fork({ baseModelDigest: 'cd'.repeat(32) }), refusedFor('baseMismatch', /fits no other model/));
  const forked = await fork({ rounds: 4 });
  assert.deepEqual(
    [forked.run!.spec!.origin!.runId, forked.run!.spec!.origin!.round, forked.run!.spec!.rounds],
    ['origin', 1, 4],
  );
  await watchUntil(station, 'forked', ({ published }) => published.length === 1);
  assert.deepEqual((await manifest(0, 'forked')).objects, (await manifest(1)).objects);
  assert.deepEqual((await fork({ rounds: 4 })).run!.spec, forked.run!.spec, 'the same fork is the same run');
  const wrong = { ...forked.run!.spec!, runId: 'wrong', origin: { ...forked.run!.spec!.origin!, round: 0 } };
  await assert.rejects(
    callUnary(station.runs, station.runs.createRun, { spec: wrong }, deadline),
    refusedFor('badDigest', /that of round 0 of run origin/),
  );
  await end();
});

test('a late update is carried into the next round, and its receipt names that', async () => {
  const { station, spec, manifest, end } = await scene({
    runId: 'carried',
    rounds: 2,
    cohort: { goal: 1, minimum: 1, overSelection: 2, late: LatePolicy.CARRY },
  });
  const [{ round, ranks }] = await Promise.all([
    awaitAssignment(station, spec.runId, 'a'),
    awaitAssignment(station, spec.runId, 'b'),
  ]);
  const file = updateFile(spec, ranks, 2);
  const late = await openUpload(station, { runId: spec.runId, round, agentId: 'b' }, file);
  await sendBytes(station, late, file);
  await upload(station, { runId: spec.runId, round, agentId: 'a' }, updateFile(spec, ranks, 1));
  await watchUntil(station, spec.runId, ({ published }) => published.length > round);
  const receipt = await commitUpload(station, late);
  assert.equal(receipt.round, round + 1);
  assert.deepEqual(await commitUpload(station, late), receipt, 'and again');
  await watchUntil(station, spec.runId, ({ published }) => published.length > round + 1);
  assert.deepEqual(
    (await manifest(round + 1)).updates.map(({ agentId, trainedIn }) => [agentId, trainedIn]),
    [['b', round]],
  );
  await end();
});

test('what an operator decided outlives the loss of the round store', async () => {
  const { rig, station, spec, playRound, end } = await scene({ runId: 'cancelled' });
  const paused = toySpec({ runId: 'paused' });
  await callUnary(station.runs, station.runs.createRun, { spec: paused }, deadline);
  await playRound(1);
  const ask = (call: 'pauseRun' | 'cancelRun', runId: string, reason: string) =>
    callUnary(station.runs, station.runs[call], { runId, reason }, deadline);
  await ask('pauseRun', paused.runId, 'maintenance');
  await ask('cancelRun', spec.runId, 'enough');
  while ((await rig.objectStore.head(`runs/${spec.runId}/standing/000001.json`)) === null) await setImmediatePromise();
  while ((await rig.objectStore.head(`runs/${paused.runId}/standing/000001.json`)) === null)
    await setImmediatePromise();
  await end();
  const later = await newRig(rig.objectStore).start();
  const found = async (runId: string) => {
    for (;;) {
      const { runs } = await callUnary(later.runs, later.runs.listRuns, {}, deadline);
      const run = runs.find((each) => each.spec!.runId === runId);
      if (run !== undefined) return run;
    }
  };
  const cancelled = await found(spec.runId);
  assert.deepEqual([cancelled.outcome, cancelled.published.length], [Outcome.CANCELLED, 2]);
  assert.match(cancelled.standing, /enough/);
  const held = await found(paused.runId);
  assert.equal(held.paused, true);
  assert.match(held.standing, /maintenance/);
});

test('a round store that stepped back is told of the rounds that it forgot', async () => {
  const old = await scene({ runId: 'behind' });
  await old.playRound(1);
  await old.end();
  const ahead = await scene({ runId: 'behind' }, newRig(old.rig.objectStore));
  await ahead.playRound(2);
  await ahead.end();
  const station = await old.rig.start();
  const caught = await watchUntil(station, 'behind', ({ published }) => published.length === 3);
  assert.equal(caught.round, 3);
  assert.equal(caught.published[2]!.manifestDigest.length, 64);
  await station.stop();
});

const setImmediatePromise = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
