import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPlan } from './draw-plan.ts';

test('a seed draws one plan', () => {
  assert.deepEqual(drawPlan(4711), drawPlan(4711));
  assert.notDeepEqual(drawPlan(1), drawPlan(2));
});

test('every kind of fault is drawn, and worlds of every size', () => {
  const plans = Array.from({ length: 500 }, (_, seed) => drawPlan(seed));
  const kinds = new Set(plans.flatMap(({ faults }) => faults.map(({ fault }) => fault.kind)));
  assert.deepEqual(
    [...kinds].sort(),
    'crash crashHere cutOff diskFull leasesLost lostReply lostRequest operator pause pauseHere repeatedCall roundStoreLost roundStoreRolledBack slowCall storeAway storeFull storeSlow'.split(
      ' ',
    ),
  );
  assert.deepEqual([...new Set(plans.map(({ world }) => world.agents))].sort(), [3, 4, 5]);
  assert.ok(
    plans.every(({ world }) => world.minimum <= world.goal && world.goal <= world.agents),
    'a world cannot reach its goal',
  );
});
