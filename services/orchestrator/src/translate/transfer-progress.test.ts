import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRefusal } from '@flexlora/core';
import { RATE_AGE_MS_MAX } from '../limits.ts';
import { transferFromMessage, transferMessage } from './transfer-progress.ts';

const none = { bytesDone: undefined, bytesTotal: undefined, bytesPerSecond: undefined };

test('a report tells of a transfer wholly or not at all; only the rate may be missing', () => {
  assert.equal(transferFromMessage(none), null);
  const told = { ...none, bytesDone: 3, bytesTotal: 4 };
  assert.deepEqual(transferFromMessage(told), { bytesDone: 3, bytesTotal: 4, bytesPerSecond: null });
  assert.deepEqual(transferFromMessage({ ...told, bytesPerSecond: 2 }), { ...told, bytesPerSecond: 2 });
  for (const [field, message] of [
    ['bytes_done', { ...none, bytesTotal: 4 }],
    ['bytes_done', { ...none, bytesPerSecond: 4 }],
    ['bytes_total', { ...none, bytesDone: 4 }],
  ] as const) {
    const refusal = transferFromMessage(message);
    assert.ok(isRefusal(refusal));
    assert.match(refusal.message, new RegExp(`^${field} is not set; allowed: `));
  }
});

test('a rate that was told too long ago is not shown, and no time left with it', () => {
  const told = { bytesDone: 25, bytesTotal: 100, bytesPerSecond: 5 };
  assert.deepEqual(transferMessage(told, RATE_AGE_MS_MAX), { ...told, secondsLeft: 15 });
  assert.deepEqual(transferMessage(told, RATE_AGE_MS_MAX + 1), {
    ...told,
    bytesPerSecond: undefined,
    secondsLeft: undefined,
  });
});
