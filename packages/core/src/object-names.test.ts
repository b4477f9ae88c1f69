import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunId, Sha256Hex, TaskId } from './ids.ts';
import { adapterObjectName } from './object-names.ts';

test('a first attempt over other updates, after a recovery, does not write the object of the first attempt before it', () => {
  const nameOf = (ledger: string): string =>
    adapterObjectName('run' as RunId, 3, 'attention-0' as TaskId, 1, ledger.repeat(8) as Sha256Hex);
  assert.equal(nameOf('01234567'), 'runs/run/rounds/000003/adapter/attention-0-01234567-1.bin');
  assert.notEqual(nameOf('01234567'), nameOf('01234568'));
});
