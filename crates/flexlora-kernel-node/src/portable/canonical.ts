import { KernelError } from '../kernel.ts';
import type { CheckedSum } from './checked-sum.ts';
import { completeRows } from './completion.ts';
import type { Decomposition } from './decomposition.ts';
import { timesPowerOfTwo } from './scale.ts';

/** The margin above the rounding errors, unit roundoff times magnitude, of a sum whose terms cancel: noise of that size must not be handed out as a direction. */
const CANCELLATION_MARGIN = 16;

/** Entries this close to the largest magnitude of a row count as equal to it, so that last bits do not decide a sign. */
const EQUAL_MAGNITUDE = 1e-6;

/** Everything about W that is handed out, still at the scale of the sum. */
export interface Canonical {
  /** rank × out, row-major. */
  readonly u: Float32Array;
  readonly values: Float64Array;
  /** rank × in, row-major. */
  readonly v: Float32Array;
  readonly energyKept: number;
  readonly energyTotal: number;
}

/** From a decomposition to the one answer: components that are there, their signs, and rows for those that are not. */
export function canonical(found: Decomposition, sum: CheckedSum): Canonical {
  const present = countPresent(found, sum);
  const u = new Float32Array(sum.rank * sum.out);
  const v = new Float32Array(sum.rank * sum.in);
  const rows = found.v.slice(0, present);
  completeRows(rows, sum.rank, sum.in, sum.seed, sum.module);
  for (const [j, row] of rows.entries()) {
    const sign = signOfLargest(row);
    writeRow(v, j, row, sign);
    if (j < present) writeRow(u, j, found.u[j]!, sign);
  }
  const values = new Float64Array(sum.rank);
  values.set(found.values.subarray(0, present));
  const energyTotal = isNoise(found.values[0] ?? 0, sum) ? 0 : found.energyTotal;
  const energyKept = Math.min(
    values.reduce((total, s) => total + s * s, 0),
    energyTotal,
  );
  checkRange(energyTotal, sum);
  return { u, values, v, energyKept, energyTotal };
}

/** A value below the accuracy of the decomposition, or of the sum itself, is not there. */
function countPresent(found: Decomposition, sum: CheckedSum): number {
  const floor = Math.max(sum.out, sum.in) * Number.EPSILON * (found.values[0] ?? 0);
  let present = 0;
  for (const s of found.values.subarray(0, sum.rank)) {
    if (s <= floor || isNoise(s, sum) || timesPowerOfTwo(s, sum.exponent) === 0) break;
    present += 1;
  }
  return present;
}

function isNoise(value: number, sum: CheckedSum): boolean {
  return value <= CANCELLATION_MARGIN * sum.roundoff * sum.magnitude;
}

function checkRange(energyTotal: number, sum: CheckedSum): void {
  if (Number.isFinite(timesPowerOfTwo(energyTotal, 2 * sum.exponent))) return;
  throw new KernelError(
    'notFinite',
    `module ${JSON.stringify(sum.module)}: the squared norm of the sum is above ${Number.MAX_VALUE}, the largest number: scale the coefficients down`,
  );
}

function signOfLargest(row: Float64Array): 1 | -1 {
  const largest = row.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const first = row.find((x) => Math.abs(x) >= largest * (1 - EQUAL_MAGNITUDE));
  return first !== undefined && first < 0 ? -1 : 1;
}

function writeRow(matrix: Float32Array, j: number, row: Float64Array, sign: number): void {
  const start = j * row.length;
  for (let i = 0; i < row.length; i += 1) matrix[start + i] = sign * row[i]!;
}
