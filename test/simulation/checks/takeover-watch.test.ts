import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFindings } from './findings.ts';
import { createTakeoverWatch, TAKEOVER_MS_MAX } from './takeover-watch.ts';

const LEASE_MS = 5_000;

function scene(hasWork = true) {
  const findings = createFindings();
  return { findings, watch: createTakeoverWatch(findings, () => hasWork) };
}

test('a lease that ran out and was taken too late is found', () => {
  const { findings, watch } = scene();
  watch.granted(0, LEASE_MS);
  watch.renewed(2_000 + LEASE_MS);
  watch.granted(7_000 + TAKEOVER_MS_MAX, 20_000);
  assert.deepEqual(findings.all, []);
  watch.granted(20_000 + TAKEOVER_MS_MAX + 1, 30_000);
  assert.match(findings.all.join(), /free for 2001 ms/);
});

test('a lease that was given back is free from then on', () => {
  const { findings, watch } = scene();
  watch.granted(0, LEASE_MS);
  watch.released(100);
  watch.granted(100 + TAKEOVER_MS_MAX + 1, 10_000);
  assert.equal(findings.all.length, 1);
});

test('nobody is late while nobody can, and where there is nothing to hold', () => {
  const { findings, watch } = scene();
  watch.granted(0, LEASE_MS);
  watch.troubled(30_000);
  watch.granted(30_000 + TAKEOVER_MS_MAX, 40_000);
  watch.forgot();
  watch.granted(90_000, 100_000);
  const idle = scene(false);
  idle.watch.granted(0, LEASE_MS);
  idle.watch.granted(60_000, 70_000);
  assert.deepEqual([...findings.all, ...idle.findings.all], []);
});
