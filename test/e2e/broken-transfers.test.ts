import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { parseReceipts, RECEIPTS_FILE } from '@flexlora/client-agent';
import { Phase } from '@flexlora/contracts/run/v1/run_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { ledgerObjectName, type RoundLedger, type RunId, updatesPrefix } from '@flexlora/core';
import { createSeededRandom, shuffled } from '../chaos/plan/seeded-random.ts';
import { startMinio } from '../harness/containers/minio-server.ts';
import { startRedis } from '../harness/containers/redis-server.ts';
import type { ServiceProcess } from '../harness/processes/service-process.ts';
import { watchUntil } from '../integration/orchestrator/rig.ts';
import { type KeptUpdate, keepLargeUpdate, largeSpec, MODULE_BYTES } from './uploads/large-update.ts';
import { durableBytes, type SentStream } from './uploads/upload-wire.ts';
import { startUploadWorld, type UploadWorld } from './uploads/upload-world.ts';

/** `TRANSFER_SEED=<seed>` breaks the upload at the same offsets, in the same ways. */
const seed = Number(process.env['TRANSFER_SEED'] ?? Date.now() % 2 ** 31);
console.log(`TRANSFER_SEED=${seed}`);

const MIB = 1 << 20;
const PART_BYTES = 5 * MIB;
/**
 * What a replica takes beyond the durable parts, and what is lost with it: the part that is filled or written, the receive window at its
 * largest, and chunks: one that is taken apart, one that was read ahead, one of which a piece has come.
 */
const IN_FLIGHT_BYTES_MAX = PART_BYTES + 14 * MIB + MIB;
/** Each wait in here is for a state; this is for the one that never comes. */
const TEST_MS_MAX = 240_000;
const AGENT = 'site';

const scratch = mkdtempSync(join(tmpdir(), 'flexlora-broken-transfers-'));
const [redis, minio] = await Promise.all([startRedis(), startMinio()]);
const skip = 'skip' in redis ? redis.skip : 'skip' in minio ? minio.skip : false;
const world = 'skip' in redis || 'skip' in minio ? null : await startUploadWorld({ redis, minio }, scratch);
after(async () => {
  await world?.stop();
  for (const service of [redis, minio]) if (!('skip' in service)) await service.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const FAULTS = { replicaKilled: 4, agentKilled: 3, linkCut: 3 } as const;
type FaultKind = keyof typeof FAULTS;

interface PlannedFault {
  readonly kind: FaultKind;
  /** Of the file: the fault comes as soon as the agent has sent more than so much. */
  readonly offset: number;
}

/** Spread over the file. Only the last may come when all that is left is on its way already, and nothing has to be sent after it. */
function planFaults(bytes: number): readonly PlannedFault[] {
  const random = createSeededRandom(seed);
  const kinds = shuffled(
    random,
    Object.entries(FAULTS).flatMap(([kind, times]) => Array<FaultKind>(times).fill(kind as FaultKind)),
  );
  const last = kinds.length - 1;
  const sure = bytes - IN_FLIGHT_BYTES_MAX;
  return kinds.map((kind, index) => {
    const at = index < last ? ((index + random()) * sure) / last : sure + random() * (bytes - sure);
    return { kind, offset: Math.floor(at) };
  });
}

test('an update of 200 MB that is broken off ten times arrives once, and no durable part of it is sent again', {
  skip,
  timeout: TEST_MS_MAX,
}, async (t) => {
  assert.ok(world !== null);
  const { spec, kept, agent } = await readyToSend(world, `broken-${seed}`, 24);
  assert.ok(kept.bytes > 200e6);
  const { wire, until } = world;
  await agent.start();
  const breaks: Break[] = [];
  for (const { kind, offset } of planFaults(kept.bytes)) {
    const begun = breaks.at(-1)?.streams ?? 0;
    await until(() => wire.streams.length > begun && (wire.streams.at(-1)?.sentTo ?? 0) > offset);
    const streams = wire.streams.length;
    const broken = wire.streams[streams - 1]!;
    // Until then it is held.
    await broken.durableAtStart;
    const durable = await strike(world, agent, kind, broken);
    breaks.push({ kind, streams, durable });
  }
  await until(() => world.hasLogged(agent, 'accepted'));
  await agent.kill();
  await assertSentOnce(t, wire.streams, breaks, kept);
  await assertCountsOnce(world, spec, kept);
});

test('a replica that is stopped in the middle of an upload leaves it to the other one, and no durable part is lost', {
  skip,
  timeout: TEST_MS_MAX,
}, async (t) => {
  assert.ok(world !== null);
  const { spec, kept, agent } = await readyToSend(world, `stopped-${seed}`, 8);
  const { wire, until, replicas, objectStore } = world;
  const before = wire.streams.length;
  const ofThis = (): readonly SentStream[] => wire.streams.slice(before);
  await agent.start();
  const offset = createSeededRandom(seed)() * (kept.bytes - IN_FLIGHT_BYTES_MAX);
  await until(() => (ofThis()[0]?.sentTo ?? 0) > offset);
  const stream = ofThis()[0]!;
  const { process } = replicas[stream.replica]!;
  await stream.durableAtStart;
  // The rest is held on its way, so that the upload outlasts the time that a stopping replica leaves it.
  for (const { proxy } of replicas) proxy.holdAfter('toServer', 0);
  await process.stop();
  await until(() => world.hasLogged(process, 'stopped'));
  const durable = await durableBytes(objectStore, stream.start);
  for (const { proxy } of replicas) proxy.letGo();
  await until(() => world.hasLogged(agent, 'accepted'));
  await process.start();
  await agent.kill();
  assert.deepEqual(
    ofThis().map(({ replica }) => replica),
    [stream.replica, 1 - stream.replica],
  );
  await assertSentOnce(t, ofThis(), [{ kind: 'replicaStopped', streams: 1, durable }], kept);
  await assertCountsOnce(world, spec, kept);
});

interface Break {
  readonly kind: FaultKind | 'replicaStopped';
  /** How many streams had begun: the last of them was broken. */
  readonly streams: number;
  /** What was durable after the fault, before the agent could ask for it. */
  readonly durable: number;
}

/** Returns what is durable once it has struck; then all that was hit may go on. */
async function strike(
  { replicas, objectStore }: UploadWorld,
  agent: ServiceProcess,
  kind: FaultKind,
  { start, replica }: SentStream,
): Promise<number> {
  const proxies = replicas.map(({ proxy }) => proxy);
  switch (kind) {
    case 'replicaKilled': {
      const { process } = replicas[replica]!;
      for (const proxy of proxies) proxy.holdAfter('toServer', 0);
      await process.kill();
      const durable = await durableBytes(objectStore, start);
      for (const proxy of proxies) proxy.letGo();
      await process.start();
      return durable;
    }
    case 'agentKilled': {
      await agent.kill();
      const durable = await durableBytes(objectStore, start);
      await agent.start();
      return durable;
    }
    case 'linkCut': {
      for (const proxy of proxies) proxy.cut();
      const durable = await durableBytes(objectStore, start);
      for (const proxy of proxies) proxy.mend();
      return durable;
    }
  }
}

/** Of the wire: each stream goes on where the durable parts end, in the same upload, to the end of the file. */
async function assertSentOnce(
  t: TestContext,
  streams: readonly SentStream[],
  breaks: readonly Break[],
  { bytes }: KeptUpdate,
): Promise<void> {
  let sentAgain = 0;
  for (const [index, { start, durableAtStart }] of streams.entries()) {
    const before = streams[index - 1];
    const last = breaks.find((each) => each.streams === index);
    const said = `stream ${index + 1} (${last?.kind ?? 'no fault'} before it) begins at ${start.offset}`;
    assert.equal(start.uploadId, streams[0]?.start.uploadId, 'the upload was opened again');
    assert.ok(start.offset >= (last?.durable ?? 0), `${said}; ${last?.durable} bytes were durable before`);
    assert.ok(start.offset <= (await durableAtStart), `${said}; ${await durableAtStart} bytes are durable`);
    const again = (before?.sentTo ?? 0) - start.offset;
    assert.ok(again <= IN_FLIGHT_BYTES_MAX, `${said}; ${before?.sentTo} were sent before`);
    sentAgain += again;
    t.diagnostic(`${said}; durable then ${await durableAtStart}; sent again ${again}`);
  }
  assert.equal(streams[0]?.start.offset, 0);
  assert.equal(streams.at(-1)?.sentTo, bytes);
  t.diagnostic(`sent again ${sentAgain} of ${bytes} bytes over ${breaks.length} faults`);
}

/** Of the stores: the object is the file, and the round is made of it alone. */
async function assertCountsOnce(
  { station, objectStore, agentsDirectory }: UploadWorld,
  { runId }: RunSpec,
  { bytes, sha256, samples }: KeptUpdate,
): Promise<void> {
  const run = await watchUntil(station, runId, ({ phase }) => phase === Phase.AGGREGATING);
  assert.equal(run.updatesAccepted, 1);
  const ledgerBytes = await objectStore.get(ledgerObjectName(runId as RunId, 1));
  const ledger = JSON.parse(Buffer.from(ledgerBytes ?? []).toString()) as RoundLedger;
  assert.deepEqual(
    ledger.updates.map((update) => [update.agentId, update.bytes, update.digest, update.samples]),
    [[AGENT, bytes, sha256, samples]],
  );
  const stored: string[] = [];
  for await (const { name } of objectStore.list(updatesPrefix(runId as RunId, 1)))
    if (name.endsWith('.safetensors')) stored.push(name);
  assert.deepEqual(stored, [ledger.updates[0]?.objectName]);
  const hash = createHash('sha256');
  for await (const piece of objectStore.read(stored[0]!)) hash.update(piece);
  assert.equal(hash.digest('hex'), sha256);
  const receipts = parseReceipts(readFileSync(join(agentsDirectory, runId, AGENT, RECEIPTS_FILE), 'utf8'));
  assert.deepEqual(
    receipts.map((receipt) => [receipt.round, receipt.sha256]),
    [[1, sha256]],
  );
  assert.ok(!existsSync(join(agentsDirectory, runId, AGENT, 'updates', 'round-00000001')));
}

/** A run whose agent has its update on disk. */
async function readyToSend(
  { collecting, agent, agentsDirectory }: UploadWorld,
  runId: string,
  modules: number,
): Promise<{ readonly spec: RunSpec; readonly kept: KeptUpdate; readonly agent: ServiceProcess }> {
  const spec = largeSpec(runId, modules);
  const assignment = await collecting(spec, AGENT);
  const kept = await keepLargeUpdate(spec, assignment, { path: agentsDirectory, agentId: AGENT });
  assert.ok(kept.bytes > modules * MODULE_BYTES);
  return { spec, kept, agent: agent(runId, AGENT) };
}
