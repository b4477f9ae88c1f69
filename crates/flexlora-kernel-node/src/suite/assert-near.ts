import assert from 'node:assert/strict';
import { TOLERANCE, type TruncatedSum } from '../kernel.ts';
import { assertClose, assertRows } from './assert-exact.ts';
import { denseSum, norm } from './oracle.ts';
import type { SampleRequest } from './samples.ts';

/** Errors below this share of ‖W‖_F are the rounding of float32. */
const ROUNDING = 1e-6;

/**
 * Holds the answer of an iteration against W and its singular values (descending): the error at every rank against the smallest possible, and what
 * is said of it. `rounding` is the absolute error that float32 may make.
 */
export function assertNear(
  request: SampleRequest,
  answer: TruncatedSum,
  values: Float64Array,
  rounding = ROUNDING * norm(values),
): void {
  const tolerance = request.tolerance ?? TOLERANCE;
  assert.equal(answer.rank, Math.min(request.rank, request.out, request.in));
  assertRows(request, answer);
  assertPrefixes(request, answer, values, { tolerance, rounding });
  const total = norm(values);
  const slack = 4 * answer.energyTotalError + 4 * rounding * (total + rounding);
  assertClose(answer.energyTotal, total ** 2, slack, 'energyTotal');
  const kept = answer.singularValues.reduce((sum, value) => sum + value ** 2, 0);
  assertClose(answer.energyKept, Math.min(kept, answer.energyTotal), 1e-12 * kept, 'energyKept');
  for (const [j, value] of answer.singularValues.entries())
    assert.ok(value <= (values[j] ?? 0) + rounding, `value ${j} is ${value}; the most possible is ${values[j] ?? 0}`);
  const dropped = norm(values.subarray(answer.rank)) / (total || 1);
  assert.ok(
    answer.residual <= 3 * tolerance * dropped + (8 * rounding) / (total || 1),
    `residual ${answer.residual}, dropped ${dropped}`,
  );
  assert.equal(answer.tolerance, tolerance);
  assert.ok(answer.excess >= 0 && answer.excess <= tolerance - 1 + 1e-12, `excess ${answer.excess}`);
}

/** A client of rank r gets the first r components. */
function assertPrefixes(
  request: SampleRequest,
  answer: TruncatedSum,
  values: Float64Array,
  { tolerance, rounding }: { readonly tolerance: number; readonly rounding: number },
): void {
  const { out, in: cols } = request;
  const left = denseSum(request);
  for (let j = 0; j < answer.rank; j += 1) {
    for (let i = 0; i < out; i += 1) {
      const factor = answer.singularValues[j]! * answer.u[j * out + i]!;
      for (let k = 0; k < cols; k += 1) left[i * cols + k]! -= factor * answer.v[j * cols + k]!;
    }
    const smallest = norm(values.subarray(j + 1));
    const error = norm(left);
    assert.ok(
      error <= tolerance * smallest + rounding,
      `rank ${j + 1} leaves ${error}; allowed is ${tolerance} times ${smallest}`,
    );
  }
}
