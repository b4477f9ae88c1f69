import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { measuredPeak } from './measured-peak.ts';
import { nativeSkipReason } from './suite/native-skip.ts';

test('the peak is a rate that no processor falls short of', { skip: nativeSkipReason() ?? false }, async () => {
  const peak = await measuredPeak(1);
  assert.ok(peak !== null && Number.isFinite(peak) && peak > 1e8, `${peak} operations a second`);
});

test('without an addon there is no peak', async () => {
  assert.equal(await measuredPeak(1, { addonFile: join(import.meta.dirname, 'absent.node') }), null);
});

test('threads that are no whole number from 1 are refused', async () => {
  for (const threads of [0, 1.5, Number.NaN])
    await assert.rejects(measuredPeak(threads), /^RangeError: threads is .*; allowed: a whole number from 1/);
});
