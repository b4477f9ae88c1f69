import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './clock.ts';

const LONG_MS = 3_600_000;

test('a sleep that is aborted rejects with the reason of the signal', async () => {
  const stop = new AbortController();
  const slept = systemClock.sleep(LONG_MS, stop.signal);
  stop.abort(new Error('stopping'));
  await assert.rejects(slept, { message: 'stopping' });
});

test('a sleep under an aborted signal does not begin', async () => {
  await assert.rejects(systemClock.sleep(LONG_MS, AbortSignal.abort(new Error('stopping'))), { message: 'stopping' });
});

test('a sleep ends', async () => {
  await systemClock.sleep(0);
});
