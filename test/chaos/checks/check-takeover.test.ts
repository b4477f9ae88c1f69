import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultRecord } from '../faults/conduct.ts';
import type { Action, Target } from '../plan/fault-catalogue.ts';
import { takeoverMs } from './check-takeover.ts';

const fault = (
  target: Target,
  action: Action,
  atMs: number,
  wholeAtMs: number,
  heldTheLease = target === 'leaseHolder',
) => ({ planned: { target, action }, process: 'orchestrator-1', heldTheLease, atMs, wholeAtMs }) as FaultRecord;
const taken = (by: string, atMs: number) => ({ by, atMs });

test('a takeover lasts from the fault to the next lease', () => {
  const killed = fault('leaseHolder', 'kill', 1_000, 9_000);
  const leases = [taken('orchestrator-1', 900), taken('orchestrator-2', 6_500), taken('orchestrator-1', 8_000)];
  assert.equal(takeoverMs(killed, [killed], leases), 5_500);
  assert.equal(takeoverMs(killed, [killed], leases.slice(0, 1)), Number.POSITIVE_INFINITY, 'nobody took it');
});

test('what did not hit the holder is no takeover', () => {
  const other = fault('otherOrchestrator', 'kill', 1_000, 9_000);
  assert.equal(takeoverMs(other, [other], [taken('orchestrator-2', 2_000)]), null);
});

test('nothing is said of a takeover while what it needs is away, and all else may be away', () => {
  const killed = fault('leaseHolder', 'kill', 1_000, 9_000);
  const leases = [taken('orchestrator-2', 6_500)];
  assert.equal(takeoverMs(killed, [killed, fault('redis', 'pause', 500, 12_000)], leases), null);
  assert.equal(takeoverMs(killed, [killed, fault('redis', 'pause', 7_000, 12_000)], leases), 5_500, 'it came after');
  assert.equal(takeoverMs(killed, [killed, fault('minio', 'pause', 500, 12_000)], leases), 5_500);
});

test('a holder that was cut off for less than its lease keeps it', () => {
  const cut = fault('redisLink', 'cut', 1_000, 4_000, true);
  assert.equal(takeoverMs(cut, [cut], [taken('orchestrator-1', 4_100)]), null);
  assert.equal(takeoverMs(cut, [cut], [taken('orchestrator-2', 6_000)]), 5_000);
});
