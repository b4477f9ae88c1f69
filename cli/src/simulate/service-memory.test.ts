import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peakMemoryBytes, peakOfStatus } from './service-memory.ts';

test('the peak is the high-water mark, not what is held now', () => {
  assert.equal(peakOfStatus('Name:\tnode\nVmPeak:\t 9000 kB\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n'), 2_097_152);
  assert.equal(peakOfStatus('Name:\tnode\n'), null);
});

test('a process that is not there has no peak', async () => {
  // Linux has no process of a number above 2^22.
  assert.equal(await peakMemoryBytes(2 ** 30), null);
});

test('this process has held something', { skip: process.platform !== 'linux' && 'only Linux tells' }, async () => {
  assert.ok(((await peakMemoryBytes(process.pid)) ?? 0) > 1_000_000);
});
