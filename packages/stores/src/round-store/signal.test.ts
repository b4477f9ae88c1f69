import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunId } from '@flexlora/core';
import { committedSignalPrefix, offeredSignal, parseSignal, releasedSignal } from './signal.ts';

test('signals survive the channel', () => {
  const runId = 'demo' as RunId;
  assert.deepEqual(parseSignal(offeredSignal(runId)), { kind: 'offered', runId });
  assert.deepEqual(parseSignal(releasedSignal(runId)), { kind: 'released', runId });
  assert.deepEqual(parseSignal(`${committedSignalPrefix(runId)}12`), { kind: 'committed', runId, version: 12 });
});

test('what is no signal is passed over', () => {
  for (const line of [
    '',
    'offered',
    'offered ',
    'offered a b',
    'committed a',
    'committed a x',
    'committed a 1 2',
    'x a',
  ])
    assert.equal(parseSignal(line), null, line);
});
