import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FAULT_CATALOGUE, MOMENTS } from './fault-catalogue.ts';
import { planFaults } from './plan-faults.ts';

const options = fc.record({
  faults: fc.integer({ min: 1, max: 120 }),
  rounds: fc.integer({ min: 1, max: 30 }),
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
});

test('a plan has as many faults as were asked for, in rounds of the run that never go back, at moments of their targets', () => {
  fc.assert(
    fc.property(options, (asked) => {
      const plan = planFaults(asked);
      assert.deepEqual(
        plan.map(({ number }) => number),
        Array.from({ length: asked.faults }, (_, index) => index + 1),
      );
      let last = 1;
      for (const { round, moment, target, draw } of plan) {
        assert.ok(round >= last && round <= Math.max(1, asked.rounds - 1));
        assert.ok(MOMENTS[target].includes(moment));
        assert.ok(draw >= 0 && draw < 1);
        last = round;
      }
      for (const [index, { next, target }] of plan.entries())
        if (next === 'comesAtOnce') assert.notEqual(plan[index + 1]?.target, target);
      assert.equal(plan.at(-1)?.next, 'waits');
    }),
  );
});

test('a plan as long as the catalogue has every fault once, and its first ones hit every target', () => {
  const nameOf = ({ action, target }: { readonly action: string; readonly target: string }) => `${action} ${target}`;
  const targets = new Set(FAULT_CATALOGUE.map(({ target }) => target));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000_000 }), (seed) => {
      const plan = planFaults({ faults: FAULT_CATALOGUE.length, rounds: 10, seed });
      assert.deepEqual(plan.map(nameOf).sort(), FAULT_CATALOGUE.map(nameOf).sort());
      assert.equal(new Set(plan.slice(0, targets.size).map(({ target }) => target)).size, targets.size);
    }),
  );
});

test('the same seed gives the same plan, another seed another', () => {
  const plan = (seed: number) => planFaults({ faults: 40, rounds: 12, seed });
  assert.deepEqual(plan(7), plan(7));
  assert.notDeepEqual(plan(7), plan(8));
});
