import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, RunId, Sha256Hex, TaskId } from '../../ids.ts';
import { adapterObjectName, updateFactsObjectName, updateObjectName } from '../../object-names.ts';
import { exampleSpec, exampleUpdate } from '../example-run.ts';
import { persistentMap } from '../persistent-map.ts';
import type { RoundState } from '../round-state.ts';
import { step } from '../step.ts';
import type { AdapterManifest } from './adapter-manifest.ts';
import type { LedgerUpdate, RoundLedger } from './round-ledger.ts';
import { sweepScope, sweptNames } from './sweep-scope.ts';

const runId = exampleSpec.runId as RunId;
const state: RoundState = step(null, { kind: 'runCreated', atMs: 0, spec: exampleSpec }).state!;
const bytesOf = (round: number, agent: string, attempt = 'a'): string =>
  updateObjectName(runId, round, agent as AgentId, attempt);
const factsOf = (round: number, agent: string): string => updateFactsObjectName(runId, round, agent as AgentId);
const attemptOf = (attempt: number): string =>
  adapterObjectName(runId, 1, 'attention-0' as TaskId, { attempt, claimId: '0badcafe' }, 'ab'.repeat(32) as Sha256Hex);
const stored = (round: number, agent: string): LedgerUpdate => {
  const assignment = { round, adapterVersion: 0, ranks: {}, reason: '', seed: 0, deadlineAtMs: 0, handout: 0 };
  return { ...exampleUpdate(exampleSpec, agent as AgentId, assignment, agent, 'a'), agentId: agent as AgentId };
};
const ledgerOf = (round: number, ...updates: readonly LedgerUpdate[]): RoundLedger => ({
  version: 1,
  runId,
  round,
  samples: 0,
  updates,
});
const manifest = (carried: readonly LedgerUpdate[]): AdapterManifest =>
  ({ round: 1, objects: [{ objectName: attemptOf(2) }], carried }) as unknown as AdapterManifest;

test('a published round takes the attempts at its adapter away, and the updates of the round before', () => {
  assert.deepEqual(sweepScope(state, 1), {
    prefixes: [`runs/${runId}/rounds/000000/updates/`, `runs/${runId}/rounds/000001/adapter/`],
    ledgers: [`runs/${runId}/rounds/000000/ledger.json`, `runs/${runId}/rounds/000001/ledger.json`],
    manifests: [`runs/${runId}/rounds/000000/manifest.json`, `runs/${runId}/rounds/000001/manifest.json`],
  });
  assert.deepEqual(sweepScope(state, 0).prefixes, [`runs/${runId}/rounds/000000/adapter/`]);
});

test('nothing comes after the last round, so that its own updates are swept with it', () => {
  assert.deepEqual(sweepScope(state, exampleSpec.rounds).prefixes, [
    `runs/${runId}/rounds/000001/updates/`,
    `runs/${runId}/rounds/000002/updates/`,
    `runs/${runId}/rounds/000002/adapter/`,
  ]);
});

test('what a ledger, a manifest or the state names stays, with the facts of an update; the rest goes', () => {
  const names = ['summed', 'late', 'carried', 'open', 'refused'].flatMap((agent) => [
    bytesOf(0, agent),
    factsOf(0, agent),
  ]);
  const dan = stored(0, 'open');
  const open: RoundState = { ...state, carried: persistentMap([[dan.agentId, { ...dan, trainedIn: 0 }]]) };
  const others = [bytesOf(0, 'summed', 'b'), attemptOf(1), attemptOf(2)];
  const ledgers = [ledgerOf(0, stored(0, 'summed')), ledgerOf(1, { ...stored(0, 'late'), trainedIn: 0 })];
  assert.deepEqual(sweptNames(open, [...names, ...others], ledgers, [manifest([stored(0, 'carried')])]), [
    bytesOf(0, 'refused'),
    factsOf(0, 'refused'),
    bytesOf(0, 'summed', 'b'),
    attemptOf(1),
  ]);
});
