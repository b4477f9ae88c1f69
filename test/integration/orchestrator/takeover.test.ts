import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Outcome, Phase } from '@flexlora/contracts/run/v1/run_service';
import { callUnary } from '@flexlora/runtime';
import { type RoundStore, RoundStoreFault } from '@flexlora/stores';
import { awaitAssignment, enrol, upload } from './fake-agent.ts';
import { claim, complete, work } from './fake-aggregator.ts';
import { createRig, type Rig, type Station, toySpec, watchUntil } from './rig.ts';
import { updateFile } from './update-file.ts';

const LEASE_MS = 500;
const deadline = { deadlineMs: 60_000 };
const rigs: Rig[] = [];
after(() => Promise.all(rigs.map((rig) => rig.close())));

function newRig(): Rig {
  const rig = createRig();
  rigs.push(rig);
  return rig;
}

/** The same store, until `cut`: then it is as if the network to it was gone, and the lease is not given back. */
function cuttable(store: RoundStore): { readonly roundStore: RoundStore; cut(): void } {
  let isCut = false;
  const roundStore = new Proxy(store, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function' || name === 'close') return value;
      return (...args: unknown[]) => {
        if (isCut) return Promise.reject(new RoundStoreFault('the network to the round store is gone'));
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  return {
    roundStore,
    cut: () => {
      isCut = true;
    },
  };
}

/** Takes a run of one round to its end by this station alone. */
async function finish(rig: Rig, station: Station, runId: string, agents: readonly string[]): Promise<void> {
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'finisher', stop.signal);
  const spec = toySpec({ runId, rounds: 1 });
  for (const agentId of agents) {
    const { round, ranks } = await awaitAssignment(station, runId, agentId);
    await upload(station, { runId, round, agentId }, updateFile(spec, ranks, 1));
  }
  const run = await watchUntil(station, runId, ({ phase }) => phase === Phase.SETTLED);
  assert.equal(run.outcome, Outcome.COMPLETED);
  assert.deepEqual(
    run.published.map(({ updates }) => updates),
    [0, 2],
  );
  stop.abort();
  await working;
}

test('an orchestrator that stops gives its runs to another one, and what it acknowledged is in the result once', async () => {
  const rig = newRig();
  const first = await rig.start({ leaseMs: LEASE_MS });
  const spec = toySpec({ runId: 'stopped', rounds: 1 });
  await callUnary(first.runs, first.runs.createRun, { spec }, deadline);
  const task = await claim(first, 'aggregator');
  await complete(first, rig.objectStore, 'aggregator', task);
  const stop = new AbortController();
  const working = work(first, rig.objectStore, 'aggregator', stop.signal);
  await watchUntil(first, spec.runId, ({ published }) => published.length === 1);
  stop.abort();
  await working;
  const second = await rig.start({ leaseMs: LEASE_MS });
  await enrol(first, spec, 'a');
  await enrol(second, spec, 'b');
  const [{ round, ranks }] = await Promise.all([
    awaitAssignment(first, spec.runId, 'a'),
    awaitAssignment(second, spec.runId, 'b'),
  ]);
  await upload(first, { runId: spec.runId, round, agentId: 'a' }, updateFile(spec, ranks, 1));
  await first.stop();
  await finish(rig, second, spec.runId, ['b']);
});

test('an orchestrator that is cut from the round store in the middle costs a lease, and nothing that was acknowledged', async () => {
  const rig = newRig();
  const cut = cuttable(rig.roundStore);
  const first = await rig.start({ leaseMs: LEASE_MS }, { roundStore: cut.roundStore });
  const spec = toySpec({ runId: 'cut', rounds: 1 });
  await callUnary(first.runs, first.runs.createRun, { spec }, deadline);
  // It holds the run and an aggregator holds a task when it is cut.
  const task = await claim(first, 'aggregator');
  cut.cut();
  const second = await rig.start({ leaseMs: LEASE_MS });
  await complete(second, rig.objectStore, 'aggregator', task);
  await enrol(second, spec, 'a');
  await enrol(second, spec, 'b');
  const stop = new AbortController();
  const working = work(second, rig.objectStore, 'other', stop.signal);
  const assignments = [awaitAssignment(second, spec.runId, 'a'), awaitAssignment(second, spec.runId, 'b')];
  await Promise.all(assignments);
  stop.abort();
  await working;
  await finish(rig, second, spec.runId, ['a', 'b']);
});

test('a station that lost its round store says that it is not ready, and faults are told as such', async () => {
  const rig = newRig();
  const readiness = async ({ statusPort }: Station): Promise<number> =>
    (await fetch(`http://127.0.0.1:${statusPort}/readyz`)).status;
  assert.equal(await readiness(await rig.start()), 200);
  const cut = cuttable(rig.roundStore);
  const station = await rig.start({}, { roundStore: cut.roundStore });
  cut.cut();
  assert.equal(await readiness(station), 503);
  await assert.rejects(
    callUnary(station.runs, station.runs.getRun, { runId: 'any', withoutCohort: true }, deadline),
    /UNAVAILABLE: the network to the round store is gone/,
  );
});
