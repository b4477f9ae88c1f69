import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@flexlora/runtime';
import { createPulse } from './pulse.ts';

const LONG_MS = 60_000;

test('a beat between the look and the wait is not missed', async () => {
  const pulse = createPulse(systemClock);
  const seen = pulse.count;
  pulse.beat();
  await pulse.waitSince(seen, LONG_MS);
  assert.equal(pulse.count, seen + 1);
});

test('one beat wakes everyone who waits', async () => {
  const pulse = createPulse(systemClock);
  const waits = Array.from({ length: 1_000 }, () => pulse.waitSince(pulse.count, LONG_MS));
  pulse.beat();
  await Promise.all(waits);
});

test('a wait ends by itself after its time', async () => {
  const pulse = createPulse(systemClock);
  await pulse.waitSince(pulse.count, 1);
  assert.equal(pulse.count, 0);
});

test('a wait is left with the reason of its signal', async () => {
  const pulse = createPulse(systemClock);
  const leaving = new AbortController();
  const wait = pulse.waitSince(pulse.count, LONG_MS, leaving.signal);
  leaving.abort(new Error('enough'));
  await assert.rejects(wait, /enough/);
  await assert.rejects(pulse.waitSince(pulse.count, LONG_MS, leaving.signal), /enough/);
});
