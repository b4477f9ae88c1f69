import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AgentId, AggregatorId, Sha256Hex } from '../../ids.ts';
import { exampleDigest, exampleProfile, exampleResult, exampleSpec, exampleUpdate } from '../example-run.ts';
import { sortedEntries } from '../persistent-map.ts';
import type { RoundEffectOutcome } from '../round-effect.ts';
import { effectId, type RoundEffect } from '../round-effect.ts';
import type { RoundEvent } from '../round-event.ts';
import type { RoundState } from '../round-state.ts';
import { step } from '../step.ts';
import type { AdapterManifest } from './adapter-manifest.ts';
import { canonicalJson } from './canonical-json.ts';
import { type DocumentEffect, documentOf } from './document-of.ts';
import { ledgerOf } from './ledger-of.ts';
import { adapterDigestText, updatesDigestText } from './manifest-digests.ts';
import { manifestOf } from './manifest-of.ts';
import { standingOf } from './run-standing.ts';

const fold = (state: RoundState | null, ...events: readonly RoundEvent[]): RoundState =>
  events.reduce<RoundState | null>((at, event) => step(at, event).state, state)!;
const performed = (effect: RoundEffect, outcome: RoundEffectOutcome, atMs: number): RoundEvent => ({
  kind: 'effectDone',
  atMs,
  effectId: effectId(effect),
  outcome,
});
const ledger = { objectName: 'ledger', digest: exampleDigest('ledger') };
const stored = { manifest: ledger, adapterDigest: exampleDigest('adapter'), updatesDigest: exampleDigest('updates') };
/** Stands for the hash. */
const sha256Of = (text: string): Sha256Hex => exampleDigest(text);

/** A run that publishes round `round`, with everything `delayMs` later and updates told in the order of `agents`. */
function publishing(round: 0 | 1, delayMs = 0, agents: readonly string[] = ['alice', 'bob']): RoundState {
  let state = aggregated(fold(null, { kind: 'runCreated', atMs: 0, spec: exampleSpec }), delayMs);
  if (round === 0) return state;
  state = fold(
    state,
    performed({ kind: 'publishManifest', round: 0 }, { kind: 'manifestPublished', ...stored }, delayMs),
  );
  for (const agent of agents)
    state = fold(state, {
      kind: 'agentEnrolled',
      atMs: delayMs,
      agentId: agent as AgentId,
      profile: exampleProfile(8),
    });
  state = fold(state, { kind: 'agentsReady', atMs: delayMs, agentIds: agents as readonly AgentId[] });
  for (const agent of agents) {
    const { assignment } = state.cohort.get(agent as AgentId)!;
    const update = exampleUpdate(exampleSpec, agent as AgentId, assignment, agent);
    state = fold(state, { kind: 'updateStored', atMs: delayMs, agentId: agent as AgentId, round: 1, update });
  }
  return aggregated(state, delayMs);
}

function aggregated(open: RoundState, atMs: number): RoundState {
  const { round } = open;
  let state = fold(
    open,
    performed({ kind: 'reconcileUpdates', round }, { kind: 'updatesReconciled', found: [] }, atMs),
    performed({ kind: 'writeLedger', round }, { kind: 'ledgerWritten', ledger }, atMs),
  );
  const aggregatorId = `agg-${atMs}` as AggregatorId;
  for (const [taskId] of sortedEntries(state.tasks)) {
    state = fold(state, { kind: 'taskClaimed', atMs, aggregatorId, claimId: '0badcafe' });
    const result = exampleResult(state, taskId, 1);
    const modules = result.modules.map((module) => ({ ...module, seconds: atMs }));
    state = fold(state, {
      kind: 'taskCompleted',
      atMs,
      aggregatorId,
      round,
      taskId,
      attempt: 1,
      result: { ...result, modules },
    });
  }
  return state;
}

test('the ledger lists the accepted updates by agent, with their samples', () => {
  const { updates, ...head } = ledgerOf(publishing(1, 0, ['bob', 'alice']));
  assert.deepEqual(head, { version: 1, runId: 'example', round: 1, samples: 200 });
  assert.deepEqual(
    updates.map(({ agentId, digest }) => [agentId, digest]),
    [
      ['alice', exampleDigest('alice')],
      ['bob', exampleDigest('bob')],
    ],
  );
});

test('round 0 has a ledger and a manifest of no updates', () => {
  const state = publishing(0);
  assert.deepEqual(ledgerOf(state), { version: 1, runId: 'example', round: 0, samples: 0, updates: [] });
  const manifest = manifestOf(state);
  assert.deepEqual(manifest.updates, []);
  assert.deepEqual(
    manifest.objects.map(({ taskId, rankGroup, modules }) => [
      taskId,
      rankGroup,
      modules.map(({ name, out, in: columns, rank }) => `${name} ${out}×${columns} r${rank}`).join(),
    ]),
    [
      ['attention-0', 'attention', 'layers.0.attn.q_proj 16×16 r8'],
      ['attention-1', 'attention', 'layers.1.attn.q_proj 16×16 r8'],
      ['feed-forward-0', 'feed-forward', 'layers.0.mlp.up_proj 32×4 r4'],
      ['feed-forward-1', 'feed-forward', 'layers.1.mlp.up_proj 32×4 r4'],
    ],
  );
});

test('documents are the same bytes whenever, by whom and in whatever order the work was done', () => {
  const [early, late] = [publishing(1, 0, ['alice', 'bob']), publishing(1, 777, ['bob', 'alice'])];
  for (const effect of [
    { kind: 'writeSpec' },
    { kind: 'writeLedger', round: 1 },
    { kind: 'publishManifest', round: 1 },
  ] as const) {
    assert.deepEqual(documentOf(early, effect, sha256Of), documentOf(late, effect, sha256Of));
  }
});

test('a document stands under the name that the store is rebuilt from', () => {
  const state = { ...publishing(1), standingSequence: 3 };
  const nameOf = (effect: DocumentEffect): string => documentOf(state, effect, sha256Of).objectName;
  assert.equal(nameOf({ kind: 'writeSpec' }), 'runs/example/spec.json');
  assert.equal(nameOf({ kind: 'writeLedger', round: 1 }), 'runs/example/rounds/000001/ledger.json');
  assert.equal(nameOf({ kind: 'publishManifest', round: 1 }), 'runs/example/rounds/000001/manifest.json');
  assert.equal(nameOf({ kind: 'writeStanding', sequence: 3 }), 'runs/example/standing/000003.json');
});

test('a standing says whether a run is held, and how it ended', () => {
  const running = publishing(1);
  const paused = fold(running, { kind: 'pauseRequested', atMs: 5, reason: 'maintenance' });
  const cancelled = fold(paused, { kind: 'cancelRequested', atMs: 6, reason: 'enough' });
  const standings = [running, paused, cancelled].map(standingOf);
  assert.deepEqual(standings, [
    { sequence: 0, paused: null, settled: null },
    { sequence: 1, paused: { sinceMs: 5, reason: 'maintenance' }, settled: null },
    { sequence: 2, paused: null, settled: { outcome: 'cancelled', reason: 'enough', atMs: 6 } },
  ]);
  const { text } = documentOf(cancelled, { kind: 'writeStanding', sequence: 2 }, sha256Of);
  assert.deepEqual(JSON.parse(text), standings[2]);
});

test('a manifest holds the digests of its adapter and of its updates: of what they are, not of who made them', () => {
  const manifestBytes = ({ text }: { readonly text: string }): AdapterManifest => JSON.parse(text);
  const effect = { kind: 'publishManifest', round: 1 } as const;
  const state = publishing(1);
  const manifest = manifestBytes(documentOf(state, effect, sha256Of));
  const { objects, updates } = manifest;
  assert.equal(manifest.adapterDigest, sha256Of(adapterDigestText(objects)));
  assert.equal(manifest.updatesDigest, sha256Of(updatesDigestText(updates)));
  assert.deepEqual(Object.keys(JSON.parse(adapterDigestText(objects))[0]), ['bytes', 'digest', 'taskId']);
  const elsewhere = objects.map((object) => ({ ...object, objectName: 'another-attempt', modules: [] }));
  assert.equal(adapterDigestText(elsewhere), adapterDigestText(objects));
  const others = objects.map((object) => ({ ...object, digest: exampleDigest('other') }));
  assert.notEqual(adapterDigestText(others), adapterDigestText(objects));
});

test('there is no manifest before every task is done', () => {
  assert.throws(
    () => manifestOf(fold(null, { kind: 'runCreated', atMs: 0, spec: exampleSpec })),
    /no manifest to publish/,
  );
});

test('what was published is summed up: samples, losses by samples, ranks, the worst energy and residual', () => {
  const state = fold(
    publishing(1),
    performed({ kind: 'publishManifest', round: 1 }, { kind: 'manifestPublished', ...stored }, 900),
  );
  const { energyDroppedMax, ...summary } = state.published.get(1)!;
  assert.deepEqual(summary, {
    round: 1,
    ...stored,
    rolledBackTo: null,
    publishedAtMs: 900,
    updates: 2,
    samples: 200,
    trainingLoss: 1.5,
    rankCounts: { '8': 2 },
    residualMax: 0.25,
  });
  assert.ok(Math.abs(energyDroppedMax - 0.1) < 1e-12);
});

test('canonical JSON depends on the content alone and is read back as it was', () => {
  assert.equal(canonicalJson({ b: [1, { z: null, a: 'ä' }], a: -0.5 }), '{"a":-0.5,"b":[1,{"a":"ä","z":null}]}');
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue({ noUnicodeString: false }) as fc.Arbitrary<unknown>),
      (value) => {
        const shuffled = Object.fromEntries(Object.entries(value).reverse());
        assert.equal(canonicalJson(shuffled), canonicalJson(value));
        assert.equal(canonicalJson(JSON.parse(canonicalJson(value))), canonicalJson(value));
        assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
      },
    ),
  );
});

test('a number that JSON cannot hold is a bug, not a null', () => {
  assert.throws(() => canonicalJson({ loss: Number.NaN }), RangeError);
});
