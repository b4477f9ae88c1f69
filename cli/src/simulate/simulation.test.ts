import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Outcome } from '@flexlora/contracts/run/v1/run_service';
import { createPortableKernel } from '@flexlora/kernel';
import { silentLogger, systemClock } from '@flexlora/runtime';
import { createFileObjectStore } from '@flexlora/stores';
import { createPlatform } from '../federation/platform.ts';
import { PROGRAM_PATIENCE } from '../run/limits.ts';
import { createRunClient } from '../run/run-client.ts';
import { parseSimulateOptions } from './options.ts';
import { isSound, renderReport, type SimulationReport } from './report.ts';
import { simulate } from './simulation.ts';
import type { SimulationSnapshot, SimulationView } from './view.ts';

const AGENTS = 30;
const RUN_ID = 'simulated';
const deps = { clock: systemClock, random: Math.random };

/** A simulation on a platform in this process; `alongside` and `signal` end it early. */
async function simulateHere(
  words: readonly string[],
  ends: { readonly alongside?: Promise<never>; readonly onShow?: (snapshot: SimulationSnapshot) => void } = {},
) {
  const options = parseSimulateOptions(words);
  assert.ok(options !== null);
  const directory = await mkdtemp(join(tmpdir(), 'flexlora-simulate-'));
  const platform = await createPlatform(
    { ...deps, kernel: createPortableKernel(), logger: silentLogger },
    { redisUrl: null, s3: null, directory, aggregators: 2 },
  );
  const server = { target: platform.target, tls: null };
  const objectStore = createFileObjectStore({ directory: join(directory, 'objects') });
  const view: SimulationView = { show: ends.onShow ?? (() => {}), note: () => {}, close: () => {}, everyMs: 50 };
  const runs = createRunClient(server, deps, PROGRAM_PATIENCE);
  try {
    const report = await simulate(
      { ...deps, view },
      {
        options,
        runId: RUN_ID,
        platform: server,
        objectStore,
        servicesMemory: async () => [],
        signal: new AbortController().signal,
        alongside: ends.alongside ?? new Promise(() => {}),
      },
    ).catch((error: unknown) => error);
    return { report, run: await runs.getRun(RUN_ID, 'withoutCohort', new AbortController().signal) };
  } finally {
    runs.close();
    await objectStore.close();
    await platform.stop();
    await rm(directory, { recursive: true });
  }
}

const FLEET = ['--agents', `${AGENTS}`, '--cohort', '12', '--drivers', '3'];
const WORDS = [...FLEET, '--rounds', '2', '--update-bytes', '32768', '--speed', '300'];

test('a fleet trains every round, and what it heard of its updates agrees with the manifests', async () => {
  const { report } = await simulateHere(WORDS);
  if (report instanceof Error) throw report;
  const told = report as SimulationReport;
  assert.ok(isSound(told), JSON.stringify(told));
  assert.equal(told.rounds.length, 2);
  // Of a cohort of twelve nine are wanted; half of them at least are there when a round closes.
  for (const { updates } of told.rounds) assert.ok(updates >= 4 && updates <= 12, `${updates} updates`);
  const taken = told.rounds.reduce((sum, { updates }) => sum + updates, 0);
  assert.ok(told.updates !== null && told.updates.acknowledged <= taken && told.updates.acknowledged > 0);
  const calls = new Map(told.rpcs.map(({ method, count }) => [method, count]));
  assert.ok((calls.get('AgentService/Enrol') ?? 0) >= 2 * AGENTS, 'every agent enrols, and tells its better profile');
  for (const method of ['AgentService/AwaitAssignment', 'TransferService/OpenUpload', 'TransferService/UploadUpdate'])
    assert.ok((calls.get(method) ?? 0) > 0, `${method} was never called`);
  assert.match(renderReport(told), /0 lost, 0 counted twice/);
});

test('a simulation whose platform fails ends with that, and cancels its run', async () => {
  const failed = Promise.withResolvers<never>();
  const { report, run } = await simulateHere(WORDS, {
    alongside: failed.promise,
    onShow: ({ tally }) => {
      if (tally.enrolled > 0) failed.reject(new Error('aggregator-1 ended'));
    },
  });
  assert.match(String(report), /aggregator-1 ended/);
  assert.equal(run.outcome, Outcome.CANCELLED);
});
