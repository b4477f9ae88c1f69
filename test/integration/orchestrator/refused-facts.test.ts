import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isUpdateFactsObjectName, type RunId, updatesPrefix } from '@flexlora/core';
import { callUnary } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { awaitAssignment, commitUpload, enrol, openUpload, sendBytes } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { createRig, type Station, toySpec } from './rig.ts';
import { updateFile } from './update-file.ts';
import { refusedFor } from './workplace.ts';

const rig = createRig();
after(() => rig.close());

test('a recovery cannot admit a refused second update: its facts are gone when the refusal is answered', async () => {
  // The machine's own deletion comes late: here never.
  const controlStore: ObjectStore = { ...rig.objectStore, delete: async () => {} };
  const control = await rig.start({ role: 'control' }, { objectStore: controlStore });
  const facts: string[] = [];
  const secondWrites = Promise.withResolvers<void>();
  const firstAccepted = Promise.withResolvers<void>();
  const transferStore: ObjectStore = {
    ...rig.objectStore,
    put: async (name, ...rest) => {
      if (isUpdateFactsObjectName(name) && facts.push(name) === 1) {
        secondWrites.resolve();
        await firstAccepted.promise;
      }
      return rig.objectStore.put(name, ...rest);
    },
  };
  const { transfer } = await rig.start({ role: 'transfer' }, { objectStore: transferStore });
  const station: Station = { ...control, transfer };
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'aggregator', stop.signal);
  const spec = toySpec({ runId: 'twice', rounds: 1 });
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
  const [second, first] = [await send(2), await send(1)];
  const refused = assert.rejects(commitUpload(station, second), refusedFor('alreadyAccepted', /an update is final/));
  await secondWrites.promise;
  await commitUpload(station, first);
  firstAccepted.resolve();
  await refused;
  const stored: string[] = [];
  for await (const { name } of rig.objectStore.list(updatesPrefix(spec.runId as RunId, round))) {
    if (isUpdateFactsObjectName(name)) stored.push(name);
  }
  assert.deepEqual(stored, facts.slice(1), 'the facts of the accepted update alone');
  stop.abort();
  await working;
});
