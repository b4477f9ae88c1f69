import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, RunId, Sha256Hex, TaskId } from './ids.ts';
import { adapterObjectName, isUpdateFactsObjectName, updateFactsObjectName, updateObjectName } from './object-names.ts';

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

test('the facts of an update stand beside its bytes, and no other object has any', () => {
  const update = updateObjectName('run' as RunId, 3, 'ada' as AgentId, 'abc');
  const facts = updateFactsObjectName(update);
  assert.equal(facts, 'runs/run/rounds/000003/updates/ada/abc.json');
  assert.deepEqual([facts!, update].map(isUpdateFactsObjectName), [true, false]);
  assert.equal(updateFactsObjectName('runs/run/rounds/000003/adapter/attention-0-01234567-1.bin'), null);
});
