import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, RunId, Sha256Hex, TaskId } from './ids.ts';
import {
  adapterObjectName,
  isUpdateFactsObjectName,
  runStandingObjectName,
  standingPrefix,
  updateFactsObjectName,
  updateObjectName,
} from './object-names.ts';

test('a first attempt after a recovery does not write the object of the first attempt before it', () => {
  const nameOf = (ledger: string, claimId: string): string => {
    const claimed = { attempt: 1, claimId };
    return adapterObjectName('run' as RunId, 3, 'attention-0' as TaskId, claimed, ledger.repeat(8) as Sha256Hex);
  };
  const name = nameOf('01234567', '0badcafe');
  assert.equal(name, 'runs/run/rounds/000003/adapter/attention-0-01234567-1-0badcafe.bin');
  assert.notEqual(name, nameOf('01234568', '0badcafe'));
  assert.notEqual(name, nameOf('01234567', '1badcafe'));
});

test('an agent has one object of facts a round, and no update is taken for it', () => {
  const [run, agent] = ['run' as RunId, 'ada' as AgentId];
  const facts = updateFactsObjectName(run, 3, agent);
  assert.equal(facts, 'runs/run/rounds/000003/updates/ada/facts.json');
  const update = updateObjectName(run, 3, agent, 'facts');
  assert.deepEqual([facts, update].map(isUpdateFactsObjectName), [true, false]);
});

test('standings sort by their sequence, as do rounds', () => {
  const names = [2, 10, 1].map((sequence) => runStandingObjectName('run' as RunId, sequence)).sort();
  assert.deepEqual(
    names.map((name) => name.slice(standingPrefix('run' as RunId).length)),
    ['000001.json', '000002.json', '000010.json'],
  );
});
