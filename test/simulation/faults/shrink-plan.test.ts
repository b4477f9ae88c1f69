import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPlan } from './draw-plan.ts';
import type { FaultPlan, PlannedFault } from './fault-plan.ts';
import { shrinkPlan } from './shrink-plan.ts';

const lost: PlannedFault = { kind: 'at', atMs: 1, fault: { kind: 'roundStoreLost' } };
const away: PlannedFault = { kind: 'at', atMs: 2, fault: { kind: 'storeAway', store: 'objectStore', ms: 5 } };
const leases: PlannedFault = { kind: 'at', atMs: 3, fault: { kind: 'leasesLost' } };

test('a plan shrinks to the faults that its failure needs, and no further', async () => {
  const plan: FaultPlan = { ...drawPlan(1), faults: [leases, lost, leases, away, leases] };
  const needs = async ({ faults }: FaultPlan): Promise<boolean> => faults.includes(lost) && faults.includes(away);
  assert.deepEqual((await shrinkPlan(plan, needs)).faults, [lost, away]);
});

test('a failure without any fault shrinks to none', async () => {
  const plan: FaultPlan = { ...drawPlan(1), faults: [leases, lost] };
  assert.deepEqual((await shrinkPlan(plan, async () => true)).faults, []);
});
