import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '../../ids.ts';
import { exampleSpec, exampleUpdate } from '../example-run.ts';
import type { LatePolicy } from '../run-spec.ts';
import type { LedgerUpdate } from './round-ledger.ts';
import { updatesOwed } from './updates-owed.ts';

const factsOf = (round: number, name: string, attempt = 'a'): LedgerUpdate => {
  const assigned = { round, adapterVersion: round - 1, ranks: { attention: 8 }, reason: '', seed: 0, deadlineAtMs: 0 };
  const agentId = name as AgentId;
  return {
    ...exampleUpdate(exampleSpec, agentId, { ...assigned, handout: 0 }, `${name}-${round}-${attempt}`),
    agentId,
  };
};
const owed = (late: LatePolicy, carried?: readonly LedgerUpdate[]): readonly string[] => {
  const manifest = carried === undefined ? { round: 1 } : { round: 1, carried };
  const last = {
    manifest,
    ledger: { updates: [factsOf(1, 'ada')] },
    facts: [factsOf(1, 'ada'), factsOf(1, 'bob'), factsOf(1, 'cleo')],
  };
  return updatesOwed(late, { last, facts: [factsOf(2, 'dan'), factsOf(2, 'cleo')] }).map(
    ({ agentId, objectName, trainedIn }) => `${agentId} ${objectName.split('/')[3]} ${trainedIn ?? '-'}`,
  );
};

test('a round is owed what was verified for it, ascending by agent', () => {
  assert.deepEqual(owed('refuse'), ['cleo 000002 -', 'dan 000002 -']);
});

test('late updates of the round before, which its ledger lacks, count where they are carried over: one an agent', () => {
  assert.deepEqual(owed('carry'), ['bob 000001 1', 'cleo 000002 -', 'dan 000002 -']);
});

test('what a manifest carries over counts under any policy, before anything else of its agent', () => {
  const carried = [{ ...factsOf(0, 'dan'), trainedIn: 0 }];
  assert.deepEqual(owed('refuse', carried), ['cleo 000002 -', 'dan 000000 0']);
});
