import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConvergence } from './convergence.ts';

const values = (...squares: readonly number[]) => Float64Array.from(squares);

test('the first look knows nothing', () => {
  const verdict = createConvergence(1, 2).look(values(4, 1), 0);
  assert.deepEqual(verdict, { isConverged: false, excess: Number.POSITIVE_INFINITY });
});

test('every value is extrapolated to the limit of its own series', () => {
  const convergence = createConvergence(2, 1.001);
  for (const [large, small] of [
    [98, 8],
    [99.5, 9],
    [99.875, 9.5],
  ] as const) {
    assert.ok(!convergence.look(values(large, small, 1), 3).isConverged);
  }
  const { isConverged, excess } = convergence.look(values(99.96875, 9.75, 1), 3);
  // The first misses a third of its last increment of 0.09375, the second all of its last, 0.25.
  const missing = 0.25 + 0.09375 / 3;
  assert.ok(!isConverged);
  assert.ok(Math.abs(excess - (Math.sqrt(1 + missing / (4 - missing)) - 1)) < 1e-6, `${excess}`);
});

test('an energy that stands still has converged, and so has rounding', () => {
  const convergence = createConvergence(2, 1 + 1e-6);
  convergence.look(values(3, 1), 0);
  assert.deepEqual(convergence.look(values(3, 1), 0), { isConverged: true, excess: 0 });
  assert.ok(convergence.look(values(3 + 1e-14, 1), 0).isConverged);
});

test('what is missing is held against the tolerance of the smallest error', () => {
  for (const [tolerance, isConverged] of [
    [1.001, false],
    [1.1, true],
  ] as const) {
    const convergence = createConvergence(1, tolerance);
    convergence.look(values(8, 1), 1);
    assert.equal(convergence.look(values(8.1, 1), 1).isConverged, isConverged);
  }
});
