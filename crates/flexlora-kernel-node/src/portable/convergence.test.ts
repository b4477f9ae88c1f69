import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConvergence } from './convergence.ts';

const values = (...squares: readonly number[]) => Float64Array.from(squares);

test('the first look knows nothing', () => {
  const verdict = createConvergence(1, 2).look(values(4, 1), 0);
  assert.deepEqual(verdict, { isConverged: false, excess: Number.POSITIVE_INFINITY });
});

test('a geometric series is extrapolated to its limit', () => {
  const convergence = createConvergence(1, 1.001);
  for (const captured of [8, 9, 9.5]) assert.ok(!convergence.look(values(captured, 1), 3).isConverged);
  const { isConverged, excess } = convergence.look(values(9.75, 1), 3);
  // 0.25 are missing of 10; the best error squared is 1 + 3 − 0.25.
  assert.ok(!isConverged);
  assert.ok(Math.abs(excess - (Math.sqrt(4 / 3.75) - 1)) < 1e-12, `${excess}`);
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
    [1.05, true],
  ] as const) {
    const convergence = createConvergence(1, tolerance);
    convergence.look(values(8, 1), 1);
    assert.equal(convergence.look(values(8.1, 1), 1).isConverged, isConverged);
  }
});
