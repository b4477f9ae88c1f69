import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type AdapterManifest,
  type AgentId,
  adapterObjectName,
  canonicalJson,
  type LedgerUpdate,
  ledgerObjectName,
  manifestObjectName,
  planAggregation,
  type RoundEffect,
  type RoundState,
  type RunId,
  type RunSpec,
  runStandingObjectName,
  type Sha256Hex,
  specObjectName,
  step,
  type TaskId,
  updateFactsObjectName,
  updateObjectName,
} from '@flexlora/core';
import { type Logger, silentLogger } from '@flexlora/runtime';
import { createMemoryObjectStore, type ObjectStore } from '@flexlora/stores';
import { sha256Of } from '../documents/sha256.ts';
import { performEffect } from './perform-effect.ts';
import { StateIsBehind } from './state-is-behind.ts';

const forever = new AbortController().signal;
const runId = 'toy' as RunId;
const spec = {
  runId,
  baseModel: { name: 'Toy', digest: 'ab'.repeat(32) },
  modules: [{ name: 'q', out: 4, in: 3, rankGroup: 'attention' }],
  rank: { min: 1, max: 2, tiers: [2], policy: 'uniform' },
  rounds: 3,
  cohort: { goal: 1, minimum: 1, overSelection: 1, late: 'refuse' },
  timing: { collectingMs: 1_000, taskLeaseMs: 1_000, agentReadyMs: 1_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 2, scaling: 'constant' },
  strategy: 'flexlora',
  svdSplit: 'b',
  aggregation: { tolerance: 1.001 },
  seed: 1,
  origin: null,
} as unknown as RunSpec;

/** A run just created: its specification and the ledger of round 0 are to be written. */
function created(of: RunSpec = spec): { readonly state: RoundState; readonly emitted: readonly RoundEffect[] } {
  const { state, emitted } = step(null, { kind: 'runCreated', atMs: 1, spec: of });
  assert.ok(state !== null);
  return { state, emitted };
}

const textOf = async (store: ObjectStore, name: string): Promise<string> =>
  Buffer.from((await store.get(name)) ?? Buffer.from('(none)')).toString();
const namesOf = async (store: ObjectStore): Promise<readonly string[]> => {
  const names: string[] = [];
  for await (const { name } of store.list('runs/')) names.push(name);
  return names;
};
const putJson = (store: ObjectStore, name: string, document: unknown): Promise<void> =>
  store.put(name, Buffer.from(canonicalJson(document)));

const LEDGER = { objectName: 'ledger', digest: 'cd'.repeat(32) as Sha256Hex };
const RESULT = { objectName: 'object', bytes: 1, digest: 'ef'.repeat(32) as Sha256Hex };

function publishing(round = 0): RoundState {
  const done = { kind: 'done', result: { ...RESULT, componentDigests: [], modules: [] } } as const;
  return {
    ...created().state,
    round,
    phase: { kind: 'aggregating', sinceMs: 1, stage: { kind: 'publishing', ledger: LEDGER } },
    tasks: new Map(
      planAggregation(spec).map(({ taskId, modules }) => [
        taskId,
        { modules, attempt: 1, claimId: '0badcafe', failures: [], lapses: [], progress: done, lastFailure: null },
      ]),
    ),
  };
}

const manifestIn = (round: number, change: Partial<AdapterManifest> = {}): AdapterManifest => ({
  version: 1,
  runId,
  round,
  baseModelDigest: spec.baseModel.digest,
  ledger: LEDGER,
  updates: [],
  objects: [],
  ...change,
});

const updateOf = (round: number, agent: string, attempt: string): LedgerUpdate => ({
  agentId: agent as AgentId,
  objectName: updateObjectName(runId, round, agent as AgentId, attempt),
  bytes: attempt.length,
  digest: sha256Of(attempt),
  samples: 10,
  ranks: { attention: 2 },
  alpha: 2,
  scaling: 'constant',
  loss: null,
});

/** As a door leaves it: the bytes, then the facts. */
async function putUpdate(store: ObjectStore, round: number, agent: string, attempt: string): Promise<LedgerUpdate> {
  const update = updateOf(round, agent, attempt);
  await store.put(update.objectName, Buffer.from(attempt));
  await putJson(store, updateFactsObjectName(runId, round, agent as AgentId), update);
  return update;
}

describe('documents', () => {
  test('performing an effect again writes the same bytes, and the outcome names them by their digest', async () => {
    const store = createMemoryObjectStore();
    const { state, emitted } = created();
    assert.deepEqual(emitted.map(({ kind }) => kind).sort(), ['writeLedger', 'writeSpec']);
    const ledger = emitted.find(({ kind }) => kind === 'writeLedger')!;
    const outcomes = [
      await performEffect(store, state, ledger, forever, silentLogger),
      await performEffect(store, state, ledger, forever, silentLogger),
    ];
    const objectName = ledgerObjectName(runId, 0);
    const digest = sha256Of(await textOf(store, objectName));
    const expected = { kind: 'ledgerWritten', ledger: { objectName, digest } };
    assert.deepEqual(outcomes, [expected, expected]);
    await performEffect(store, state, { kind: 'writeSpec' }, forever, silentLogger);
    assert.deepEqual(JSON.parse(await textOf(store, specObjectName(runId))), spec);
  });

  test('a specification of another run is not written over, and the fault says what to do', async () => {
    const store = createMemoryObjectStore();
    await store.put(specObjectName(runId), Buffer.from('{"of":"another"}'));
    await assert.rejects(
      performEffect(store, created().state, { kind: 'writeSpec' }, forever, silentLogger),
      /Restore it, or create the run under another id/,
    );
    assert.equal(await textOf(store, specObjectName(runId)), '{"of":"another"}');
  });

  test('a specification that an older program wrote is the same when it means the same', async () => {
    const store = createMemoryObjectStore();
    const { late: _, ...cohort } = spec.cohort;
    const { origin: __, ...older } = { ...spec, cohort };
    await putJson(store, specObjectName(runId), older);
    const outcome = await performEffect(store, created().state, { kind: 'writeSpec' }, forever, silentLogger);
    assert.deepEqual(outcome, { kind: 'specWritten' });
  });

  test('the first ledger of a round stands, and whoever comes second hears what is in it', async () => {
    const store = createMemoryObjectStore();
    const updates = [updateOf(1, 'ada', 'bytes')];
    await putJson(store, ledgerObjectName(runId, 1), { version: 1, updates });
    const stored = await textOf(store, ledgerObjectName(runId, 1));
    const state = {
      ...publishing(1),
      phase: { kind: 'aggregating', sinceMs: 1, stage: { kind: 'writingLedger' } },
    } as const;
    const outcome = await performEffect(store, state, { kind: 'writeLedger', round: 1 }, forever, silentLogger);
    const ledger = { objectName: ledgerObjectName(runId, 1), digest: sha256Of(stored) };
    assert.deepEqual(outcome, { kind: 'ledgerFound', ledger, updates });
    assert.equal(await textOf(store, ledgerObjectName(runId, 1)), stored);
  });

  test('a standing of a history that was lost is found, not written over', async () => {
    const store = createMemoryObjectStore();
    const standing = { sequence: 1, paused: null, settled: { outcome: 'cancelled', reason: 'enough', atMs: 5 } };
    await putJson(store, runStandingObjectName(runId, 1), standing);
    const effect: RoundEffect = { kind: 'writeStanding', sequence: 1 };
    const state = { ...created().state, standingSequence: 1 };
    assert.deepEqual(await performEffect(store, state, effect, forever, silentLogger), {
      kind: 'standingFound',
      standing,
    });
    const other = createMemoryObjectStore();
    for (const _ of [1, 2])
      assert.deepEqual(await performEffect(other, state, effect, forever, silentLogger), { kind: 'standingWritten' });
  });
});

describe('publishing', () => {
  const effect: RoundEffect = { kind: 'publishManifest', round: 0 };
  const objectName = manifestObjectName(runId, 0);

  test('a manifest of another ledger is neither adopted nor written over: the state is behind', async () => {
    const store = createMemoryObjectStore();
    const other = canonicalJson(manifestIn(0, { ledger: { ...LEDGER, digest: '00'.repeat(32) as Sha256Hex } }));
    await store.put(objectName, Buffer.from(other));
    await assert.rejects(performEffect(store, publishing(), effect, forever, silentLogger), StateIsBehind);
    assert.equal(await textOf(store, objectName), other);
    await store.put(objectName, Buffer.from('{ cut off'));
    await assert.rejects(performEffect(store, publishing(), effect, forever, silentLogger), /is damaged/);
  });

  test('a manifest of the same ledger that carries other updates over is of another state', async () => {
    const store = createMemoryObjectStore();
    await putJson(store, objectName, manifestIn(0, { carried: [updateOf(1, 'bob', 'late')] }));
    await assert.rejects(
      performEffect(store, publishing(), effect, forever, silentLogger),
      /carries other updates over/,
    );
  });

  test('a manifest that somebody published before of the same ledger is the truth, with its own digests', async () => {
    const store = createMemoryObjectStore();
    const earlier = canonicalJson(manifestIn(0));
    await store.put(objectName, Buffer.from(earlier));
    assert.deepEqual(await performEffect(store, publishing(), effect, forever, silentLogger), {
      kind: 'manifestPublished',
      manifest: { objectName, digest: sha256Of(earlier) },
      adapterDigest: sha256Of('[]'),
      updatesDigest: sha256Of('[]'),
    });
    assert.equal(await textOf(store, objectName), earlier);
  });

  test('an earlier adapter is published again under the open round, without a copy of its bytes', async () => {
    const store = createMemoryObjectStore();
    await performEffect(store, publishing(), effect, forever, silentLogger);
    const source = { objectName, digest: sha256Of(await textOf(store, objectName)) };
    const state: RoundState = {
      ...publishing(2),
      published: new Map([[0, { manifest: source } as never]]),
      phase: { kind: 'aggregating', sinceMs: 1, stage: { kind: 'rollingBack', to: 0 } },
    };
    const rollback: RoundEffect = { kind: 'publishRollback', round: 2, of: 0 };
    const outcome = await performEffect(store, state, rollback, forever, silentLogger);
    assert.ok(outcome.kind === 'manifestPublished');
    const manifest: AdapterManifest = JSON.parse(await textOf(store, manifestObjectName(runId, 2)));
    const original: AdapterManifest = JSON.parse(await textOf(store, objectName));
    assert.deepEqual([manifest.objects, manifest.rolledBackTo, manifest.ledger], [original.objects, 0, null]);
    assert.equal(outcome.adapterDigest, original.adapterDigest);
    assert.deepEqual(await performEffect(store, state, rollback, forever, silentLogger), outcome);
    await store.put(objectName, Buffer.from('{"other":1}'));
    await assert.rejects(performEffect(store, state, rollback, forever, silentLogger), /restore it from a backup/);
  });

  test('a fork publishes the adapter of its origin as its own round 0', async () => {
    const store = createMemoryObjectStore();
    await performEffect(store, publishing(), effect, forever, silentLogger);
    const digest = sha256Of(await textOf(store, objectName));
    const origin = { runId, round: 0, manifestDigest: digest };
    const { state, emitted } = created({ ...spec, runId: 'fork' as RunId, origin });
    assert.deepEqual(emitted.map(({ kind }) => kind).sort(), ['publishFork', 'writeSpec']);
    const outcome = await performEffect(store, state, { kind: 'publishFork' }, forever, silentLogger);
    assert.ok(outcome.kind === 'forkPublished');
    const manifest: AdapterManifest = JSON.parse(await textOf(store, outcome.manifest.objectName));
    assert.deepEqual([manifest.runId, manifest.round, manifest.origin], ['fork', 0, origin]);
    assert.equal(manifest.objects[0]!.objectName, RESULT.objectName);
  });
});

describe('what the object store holds beside the state', () => {
  const collecting = (accepted: readonly LedgerUpdate[]): RoundState => ({
    ...publishing(1),
    cohort: new Map(
      accepted.map(({ agentId, ...update }) => [
        agentId,
        { assignment: {} as never, progress: { kind: 'accepted', atMs: 1, update } },
      ]),
    ),
  });

  test('verified updates that the state lacks are found; damaged facts keep nobody from the others', async () => {
    const store = createMemoryObjectStore();
    await putJson(store, manifestObjectName(runId, 0), manifestIn(0));
    const ada = await putUpdate(store, 1, 'ada', 'a-bytes');
    const bea = await putUpdate(store, 1, 'bea', 'b-bytes');
    const cleo = await putUpdate(store, 1, 'cleo', 'c-bytes');
    await store.put(updateFactsObjectName(runId, 1, 'dora' as AgentId), Buffer.from('{ cut off'));
    await putUpdate(store, 1, 'eve', 'e-bytes');
    await store.delete(updateOf(1, 'eve', 'e-bytes').objectName);
    const effect: RoundEffect = { kind: 'reconcileUpdates', round: 1 };
    const outcome = await performEffect(store, collecting([bea]), effect, forever, silentLogger);
    assert.deepEqual(outcome, { kind: 'updatesReconciled', found: [ada, cleo] });
  });

  test('a sweep deletes what no document names, and nothing before the round is published', async () => {
    const store = createMemoryObjectStore();
    const ada = await putUpdate(store, 1, 'ada', 'a-bytes');
    await putUpdate(store, 1, 'bea', 'b-bytes');
    await store.put(updateObjectName(runId, 1, 'ada' as AgentId, 'another'), Buffer.from('attempt'));
    const open = await putUpdate(store, 2, 'ada', 'next');
    const [taskId, ledger] = ['attention-0' as TaskId, LEDGER.digest];
    const [kept, left] = [1, 2].map((attempt) =>
      adapterObjectName(runId, 2, taskId, { attempt, claimId: '0badcafe' }, ledger),
    ) as [string, string];
    for (const name of [kept, left]) await store.put(name, Buffer.from('slab'));
    await putJson(store, ledgerObjectName(runId, 1), { version: 1, updates: [ada] });
    await putJson(store, ledgerObjectName(runId, 2), { version: 1, updates: [open] });
    await putJson(store, manifestObjectName(runId, 1), manifestIn(1));
    const before = await namesOf(store);
    const effect: RoundEffect = { kind: 'sweepRound', round: 2 };
    const state = publishing(3);
    assert.deepEqual(await performEffect(store, state, effect, forever, silentLogger), { kind: 'roundSwept' });
    assert.deepEqual(await namesOf(store), before, 'round 2 has no manifest');
    const object = {
      taskId,
      objectName: kept,
      bytes: 4,
      digest: ledger,
      componentDigests: [],
      rankGroup: 'attention',
      modules: [],
    };
    await putJson(store, manifestObjectName(runId, 2), manifestIn(2, { objects: [object] }));
    for (const _ of [1, 2]) await performEffect(store, state, effect, forever, silentLogger);
    const gone = before.filter((name) => name === left || name.includes('/bea/') || name.includes('another'));
    assert.equal(gone.length, 4);
    assert.deepEqual(
      (await namesOf(store)).filter((name) => !name.endsWith('000002/manifest.json')),
      before.filter((name) => !gone.includes(name)),
    );
  });

  test('a sweep deletes an upload that ends while it lists, and what is there when uploads cannot be listed', async () => {
    const memory = createMemoryObjectStore();
    await putJson(memory, manifestObjectName(runId, 1), manifestIn(1));
    await putJson(memory, manifestObjectName(runId, 2), manifestIn(2));
    const before = await namesOf(memory);
    const effect: RoundEffect = { kind: 'sweepRound', round: 2 };
    const name = updateObjectName(runId, 1, 'ada' as AgentId, 'attempt');
    const token = await memory.beginUpload(name);
    const tag = await memory.writePart(name, token, 1, Buffer.from('late'));
    const ending: ObjectStore = {
      ...memory,
      list: async function* (prefix, signal) {
        const listed = [];
        for await (const object of memory.list(prefix, signal)) listed.push(object);
        await memory.completeWritten(name, token, [tag]);
        yield* listed;
      },
    };
    await performEffect(ending, publishing(3), effect, forever, silentLogger);
    assert.deepEqual(await namesOf(memory), before);

    await putUpdate(memory, 1, 'bea', 'b-bytes');
    const denying: ObjectStore = { ...memory, listUploads: () => assert.fail('AccessDenied') };
    const told: string[] = [];
    const logger = { ...silentLogger, warn: (_fields: object, text: string) => void told.push(text) } as Logger;
    const ended = await performEffect(denying, publishing(3), effect, forever, logger);
    assert.deepEqual(ended, { kind: 'roundSwept' }, 'the next sweep has its turn');
    assert.match(told.join(), /lifecycle rule/);
    assert.deepEqual(await namesOf(memory), before);
  });
});
