import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Phase } from '@flexlora/contracts/run/v1/run_service';
import { LatePolicy } from '@flexlora/contracts/run/v1/run_spec';
import { RUNS_PREFIX, type RunId, updatesPrefix } from '@flexlora/core';
import { callUnary } from '@flexlora/runtime';
import { createMemoryObjectStore, createS3ObjectStore, type ObjectStore } from '@flexlora/stores';
import { startMinio } from '../../harness/containers/minio-server.ts';
import { awaitAssignment, enrol, upload } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { drawFor, oneOf } from './malformed/draw.ts';
import { drawMalformedUpload } from './malformed/draw-malformed-upload.ts';
import { malformedParts } from './malformed/malformed-parts.ts';
import type { Place, Target } from './malformed/malformed-upload.ts';
import { openUploadsUnder } from './malformed/open-s3-uploads.ts';
import { type Playground, playMalformedUpload } from './malformed/play-malformed-upload.ts';
import { connectRawTransfer } from './malformed/raw-transfer.ts';
import { watchObjectStore } from './malformed/watched-object-store.ts';
import { createRig, type Station, toySpec, watchUntil } from './rig.ts';
import { updateFile } from './update-file.ts';

/** `FUZZ_SEED=<seed>` repeats the uploads of a run of these tests; `FUZZ_UPLOADS=<n>` draws more or fewer. */
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const uploads = Number(process.env['FUZZ_UPLOADS'] ?? 10_000);
console.log(`FUZZ_SEED=${seed}`);

/** Begins the names of the runs: an S3 that is given may hold those of an earlier time. */
const mark = `fuzz-${Date.now().toString(36)}`;

/** Against S3, of 10,000: each costs some ten requests. */
const S3_SHARE = 0.04;
/** One in so many is of two parts, and thousands of times as long. */
const LONG_EVERY = 100;
const AT_ONCE = 16;
/**
 * What the second half may leave. Short uploads: 1 KiB kept of each would be 5 MiB; the heap still warms up by some 1.5 MiB in 5,000, less
 * each time. Long ones: each has 6 MiB, of which the last may be held for a while; kept of each they would be 300 MiB.
 */
const GROWTH_BYTES_MAX = { short: 3 << 20, long: 32 << 20 } as const;

type Length = keyof typeof GROWTH_BYTES_MAX;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function bytesHeld(): Promise<number> {
  for (let left = 10; left > 0; left -= 1) {
    await turn();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

interface Field extends Playground {
  readonly station: Station;
  readonly targets: readonly Target[];
  /** Of two parts. */
  readonly long: readonly Target[];
}

async function openField(t: TestContext, objectStore: ObjectStore): Promise<Field> {
  const objects = watchObjectStore(objectStore);
  const rig = createRig(objects.store);
  const station = await rig.start();
  const transfer = connectRawTransfer(station.transfer.getChannel().getTarget());
  // The client first: the server waits a while for those who are connected.
  t.after(async () => {
    transfer.close();
    await rig.close();
  });
  // Makes the adapters that the runs begin with.
  const begun = new AbortController();
  const working = work(station, objects.store, 'aggregator', begun.signal);
  const toys = await collecting(station, `${mark}-toy`, [250, 350, 1_000_000, 1_000_000]);
  const others = await collecting(station, `${mark}-other`, [250, 1_000_000]);
  const long = await collecting(
    station,
    `${mark}-long`,
    [1_000_000],
    [{ name: 'layers.0.up_proj', outFeatures: 400_000, inFeatures: 6, rankGroup: 'attention' }],
  );
  begun.abort();
  await working;
  return {
    objects,
    station,
    transfer,
    targets: [...withOthers(toys, others), ...withOthers(others, toys)],
    long,
  };
}

/** A run that collects updates of as many agents as there are memories, and closes its round with the last of them. */
async function collecting(
  station: Station,
  runId: string,
  memories: readonly number[],
  modules = toySpec().modules,
): Promise<Target[]> {
  const goal = memories.length;
  const cohort = { goal, minimum: goal, overSelection: 1, late: LatePolicy.REFUSE };
  const spec = toySpec({ runId, modules, cohort });
  await callUnary(station.runs, station.runs.createRun, { spec }, { deadlineMs: 60_000 });
  const agents = memories.map((memory, at) => ({ agentId: `agent-${at}`, memory }));
  for (const { agentId, memory } of agents) await enrol(station, spec, agentId, memory);
  return Promise.all(
    agents.map(async ({ agentId }) => {
      const { ranks, round } = await awaitAssignment(station, runId, agentId);
      return { place: { runId, round, agentId }, spec, ranks, others: [] };
    }),
  );
}

function counts(all: number): Readonly<Record<Length, number>> {
  const long = Math.ceil(all / LONG_EVERY);
  return { short: all - long, long };
}

const withOthers = (targets: readonly Target[], strangers: readonly Target[]): Target[] =>
  targets.map((target) => ({
    ...target,
    others: [...targets, ...strangers].filter((other) => other !== target).map(({ place }) => place),
  }));

/** Plays the uploads `from` … `to`, several at a time. What fails says how to repeat it. @returns how many were refused. */
async function play(field: Field, length: Length, from: number, to: number): Promise<number> {
  let next = from;
  let refused = 0;
  const worker = async (): Promise<void> => {
    while (next < to) {
      const index = next++;
      const draw = drawFor(seed, index);
      const target = oneOf(draw, length === 'long' ? field.long : field.targets);
      const malformed = length === 'long' ? malformedParts(draw, target) : drawMalformedUpload(draw, target);
      try {
        await playMalformedUpload(field, target.place, malformed);
        refused += 1;
      } catch (error) {
        next = to;
        throw new Error(
          `${length} upload ${index} of FUZZ_SEED=${seed} (${malformed.what}): ${(error as Error).message}`,
          {
            cause: error,
          },
        );
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return refused;
}

async function assertNothingLeft({ objects, targets, long }: Field): Promise<void> {
  assert.deepEqual([...objects.begun], []);
  for (const { runId, round } of [...targets, ...long].map(({ place }) => place)) {
    for await (const { name } of objects.store.list(updatesPrefix(runId as RunId, round)))
      assert.fail(`${name} is left`);
  }
}

/** Every agent's update is wanted as before: the round closes with the last of them. */
async function assertAccepted({ station, targets, long }: Field): Promise<void> {
  const all = [...targets, ...long];
  for (const { place, spec, ranks } of all) {
    const { round } = await upload(station, place, updateFile(spec, ranks, 1));
    assert.equal(round, place.round);
  }
  const isClosed = ({ phase }: { readonly phase: Phase }): boolean => phase === Phase.AGGREGATING;
  for (const runId of new Set(all.map(({ place }: { readonly place: Place }) => place.runId)))
    await watchUntil(station, runId, isClosed, AbortSignal.timeout(60_000));
}

test('malformed uploads are refused with a reason, leave nothing, and cost no memory', {
  timeout: 300_000,
}, async (t) => {
  const field = await openField(t, createMemoryObjectStore());
  for (const [length, count] of Object.entries(counts(uploads)) as [Length, number][]) {
    const half = Math.floor(count / 2);
    const first = await play(field, length, 0, half);
    const before = await bytesHeld();
    const second = await play(field, length, half, count);
    const grown = (await bytesHeld()) - before;
    t.diagnostic(`${first + second} ${length} uploads; the second half left ${(grown / 2 ** 20).toFixed(2)} MiB`);
    assert.equal(first + second, count);
    assert.ok(grown < GROWTH_BYTES_MAX[length], `${grown} bytes more are held; allowed: ${GROWTH_BYTES_MAX[length]}`);
  }
  await assertNothingLeft(field);
  await assertAccepted(field);
});

const minio = await startMinio();
if ('skip' in minio) {
  test('malformed uploads leave nothing in S3', { skip: minio.skip }, () => {});
} else {
  after(() => minio.stop());
  test('malformed uploads leave nothing in S3', { timeout: 300_000 }, async (t) => {
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = minio;
    const credentials = { accessKeyId, secretAccessKey };
    const store = createS3ObjectStore({ endpoint, region, bucket, credentials });
    t.after(() => store.close());
    const field = await openField(t, store);
    const { short, long } = counts(Math.ceil(uploads * S3_SHARE));
    assert.equal((await play(field, 'short', 0, short)) + (await play(field, 'long', 0, long)), short + long);
    await assertNothingLeft(field);
    assert.deepEqual(await openUploadsUnder(minio, store, `${RUNS_PREFIX}${mark}`), []);
    await assertAccepted(field);
  });
}
