import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secondsLeft, type TransferProgress, validateTransfer } from './transfer-progress.ts';

const half: TransferProgress = { bytesDone: 50, bytesTotal: 100, bytesPerSecond: 10 };

test('a transfer is valid from nothing done to everything done, with a rate or without', () => {
  for (const change of [{}, { bytesDone: 0, bytesTotal: 0 }, { bytesDone: 100 }, { bytesPerSecond: null }])
    assert.equal(validateTransfer({ ...half, ...change }), null);
});

test('what is wrong with a transfer is told with the field, what it is, and what is allowed', () => {
  const messageOf = (change: Partial<TransferProgress>) => validateTransfer({ ...half, ...change })?.message;
  assert.equal(messageOf({ bytesDone: 101 }), 'bytes_done is 101; allowed: a whole number of bytes from 0 to 100');
  assert.equal(messageOf({ bytesDone: -1 }), 'bytes_done is -1; allowed: a whole number of bytes from 0 to 100');
  assert.match(messageOf({ bytesTotal: 1.5 }) ?? '', /^bytes_total is 1\.5; allowed: /);
  for (const bytesPerSecond of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    assert.equal(
      messageOf({ bytesPerSecond }),
      `bytes_per_second is ${bytesPerSecond}; allowed: a finite number from 0 on, or none`,
    );
});

test('the time left is the bytes left at the rate; without a rate that moves there is none', () => {
  assert.equal(secondsLeft(half), 5);
  assert.equal(secondsLeft({ ...half, bytesDone: 100 }), 0);
  for (const bytesPerSecond of [null, 0, Number.MIN_VALUE])
    assert.equal(secondsLeft({ ...half, bytesPerSecond }), null);
  assert.equal(secondsLeft({ bytesDone: 0, bytesTotal: 0, bytesPerSecond: 0 }), null);
});
