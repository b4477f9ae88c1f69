import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type AdapterManifest, ledgerObjectName, manifestObjectName, type RunId } from '@flexlora/core';
import { callUnary, systemClock } from '@flexlora/runtime';
import { createMemoryRoundStore, type RoundStore } from '@flexlora/stores';
import { awaitAssignment, enrol, upload } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { createRig, type Rig, type Station, toySpec, watchUntil } from './rig.ts';
import { sha256, updateFile } from './update-file.ts';
import { refusedFor } from './workplace.ts';

const deadline = { deadlineMs: 60_000 };
const rigs: Rig[] = [];
after(() => Promise.all(rigs.map((rig) => rig.close())));

function newRig(objectStore?: Rig['objectStore']): Rig {
  const rig = createRig(objectStore);
  rigs.push(rig);
  return rig;
}

/** A store that loses all its data at once, as Redis does that is started again without its disk. */
function losable(): { readonly roundStore: RoundStore; lose(): void } {
  const fresh = (): RoundStore => createMemoryRoundStore({ now: systemClock.nowMs });
  let inner = fresh();
  const listeners = new Set<Parameters<RoundStore['subscribe']>[0]>();
  const relay = (): void => void inner.subscribe((signal) => listeners.forEach((listener) => void listener(signal)));
  relay();
  const roundStore = new Proxy(inner, {
    get: (_, name) => {
      if (name !== 'subscribe') return Reflect.get(inner, name) as unknown;
      return async (listener: Parameters<RoundStore['subscribe']>[0]) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      };
    },
  });
  return {
    roundStore,
    lose: () => {
      inner = fresh();
      relay();
    },
  };
}

/** Short leases: a claim that was under way when its aggregator stopped costs one. */
const specOf = (runId: string, change: Parameters<typeof toySpec>[0] = {}) =>
  toySpec({ runId, timing: { collectingMs: 600_000, taskLeaseMs: 500, agentReadyMs: 600_000 }, ...change });

async function publishRoundOne(rig: Rig, station: Station, runId: string): Promise<void> {
  const spec = specOf(runId);
  await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'aggregator', stop.signal);
  await enrol(station, spec, 'a');
  await enrol(station, spec, 'b');
  const takePart = async (agentId: string): Promise<void> => {
    const { round, ranks } = await awaitAssignment(station, runId, agentId);
    await upload(station, { runId, round, agentId }, updateFile(spec, ranks, 1));
  };
  await Promise.all(['a', 'b'].map(takePart));
  await watchUntil(station, runId, ({ published }) => published.length === 2);
  stop.abort();
  await working;
}

/** Digests of everything that round 1 is made of. */
async function roundOne(rig: Rig, runId: RunId): Promise<readonly string[]> {
  const manifest = (await rig.objectStore.get(manifestObjectName(runId, 1)))!;
  const { objects } = JSON.parse(Buffer.from(manifest).toString()) as AdapterManifest;
  const names = [ledgerObjectName(runId, 1), ...objects.map(({ objectName }) => objectName)];
  const stored = await Promise.all(names.map((name) => rig.objectStore.get(name)));
  return [manifest, ...stored].map((bytes) => sha256(Buffer.from(bytes!)));
}

test('creating a run that the round store lost goes on from what it published, before recovery has looked', async () => {
  const before = newRig();
  await publishRoundOne(before, await before.start(), 'again');
  await before.close();
  const published = await roundOne(before, 'again' as RunId);

  const rig = newRig(before.objectStore);
  // Recovery finds nothing, as if it had not looked yet.
  const blind: Rig['objectStore'] = { ...rig.objectStore, list: async function* () {} };
  const station = await rig.start({}, { objectStore: blind });
  const other = specOf('again', { seed: 8 });
  const { runs } = station;
  await assert.rejects(
    callUnary(runs, runs.createRun, { spec: other }, deadline),
    refusedFor('runExists', /another specification/),
  );
  const { run } = await callUnary(runs, runs.createRun, { spec: specOf('again') }, deadline);
  assert.deepEqual(
    run?.published.map(({ round, updates }) => [round, updates]),
    [
      [0, 0],
      [1, 2],
    ],
  );
  assert.deepEqual(await roundOne(rig, 'again' as RunId), published);
});

test('a run is recovered while its process lives and its agents keep its head fresh', async () => {
  const rig = newRig();
  const { roundStore, lose } = losable();
  const first = await rig.start({}, { roundStore });
  await publishRoundOne(rig, first, 'fresh');
  await first.stop();
  const { promise: listed, resolve: isListed } = Promise.withResolvers<void>();
  const objectStore: Rig['objectStore'] = {
    ...rig.objectStore,
    list: async function* (prefix, signal) {
      yield* rig.objectStore.list(prefix, signal);
      isListed();
    },
  };
  const station = await rig.start({}, { roundStore, objectStore });
  await listed;
  const stop = new AbortController();
  const waitMsMax = 30_000;
  const asking = (async () => {
    while (!stop.signal.aborted) {
      const request = { runId: 'fresh', agentId: 'a', waitMsMax };
      await callUnary(station.agents, station.agents.awaitAssignment, request, {
        ...deadline,
        signal: stop.signal,
      }).catch(() => {});
    }
  })();
  lose();
  let published = 0;
  while (published === 0) {
    const { runs } = await callUnary(station.runs, station.runs.listRuns, {}, deadline);
    published = runs[0]?.published.length ?? 0;
  }
  assert.equal(published, 2);
  stop.abort();
  await asking;
});

test('a damaged document of one run does not keep another run from being recovered', async () => {
  const before = newRig();
  const first = await before.start();
  for (const runId of ['aaa', 'bbb']) await publishRoundOne(before, first, runId);
  await before.close();
  await before.objectStore.put(manifestObjectName('aaa' as RunId, 1), Buffer.from('{ cut off'));

  const station = await newRig(before.objectStore).start();
  let found: readonly string[] = [];
  while (found.length === 0) {
    const { runs } = await callUnary(station.runs, station.runs.listRuns, {}, deadline);
    found = runs.map(({ spec }) => spec?.runId ?? '');
  }
  assert.deepEqual(found, ['bbb']);
  await assert.rejects(
    callUnary(station.runs, station.runs.createRun, { spec: specOf('aaa') }, deadline),
    refusedFor('badFile', /runs\/aaa\/rounds\/000001\/manifest\.json .* is damaged; .* restore it from a backup/),
  );
});
