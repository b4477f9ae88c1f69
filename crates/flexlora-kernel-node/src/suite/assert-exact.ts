import assert from 'node:assert/strict';
import type { TruncatedSum } from '../kernel.ts';
import { createOracle, norm, type Oracle } from './oracle.ts';
import type { SampleRequest } from './samples.ts';

/** What the platform promises: relative to ‖W‖_F. */
const TOLERANCE = 1e-5;

/** Values closer than this, relative to the largest, do not determine their subspace well enough to compare matrices. */
const GAP_MIN = 1e-4;

/** Holds an answer against the dense sum: shape, values, energy, the best approximation at every rank, rows of v, signs, residual. */
export function assertExact(request: SampleRequest, answer: TruncatedSum): void {
  const oracle = createOracle(request);
  assertShape(request, answer);
  for (const [j, value] of answer.singularValues.entries()) {
    assertClose(value, oracle.values[j]!, 1e-7 * oracle.norm, `value ${j}`);
  }
  assertClose(answer.energyTotal, oracle.norm ** 2, 1e-9 * oracle.norm ** 2, 'energyTotal');
  const kept = answer.singularValues.reduce((sum, s) => sum + s * s, 0);
  assertClose(answer.energyKept, kept, 1e-9 * oracle.norm ** 2, 'energyKept');
  assertEveryPrefix(request, answer, oracle);
  assertRows(request, answer);
  assertResidual(request, answer, oracle);
}

function assertShape(request: SampleRequest, answer: TruncatedSum): void {
  const rankSum = request.terms.reduce((sum, term) => sum + term.a.rows, 0);
  assert.equal(answer.rank, Math.min(request.rank, request.out, request.in));
  assert.equal(answer.rankSum, rankSum);
  assert.equal(answer.method, rankSum < Math.min(request.out, request.in) ? 'stacked' : 'dense');
  assert.equal(answer.u.length, answer.rank * request.out);
  assert.equal(answer.v.length, answer.rank * request.in);
  assert.equal(answer.singularValues.length, answer.rank);
  assert.ok(answer.seconds >= 0);
}

/** A client of rank r gets the first r components, so every prefix must be the best approximation of its rank. */
function assertEveryPrefix(request: SampleRequest, answer: TruncatedSum, oracle: Oracle): void {
  const sum = new Float64Array(oracle.w.length);
  for (let r = 1; r <= answer.rank; r += 1) {
    addComponent(sum, request, answer, r - 1);
    const left = norm(sum.map((x, i) => x - oracle.w[i]!));
    assertClose(left, norm(oracle.values.slice(r)), TOLERANCE * oracle.norm, `what rank ${r} leaves`);
    const gap = oracle.values[r - 1]! - (oracle.values[r] ?? 0);
    if (gap < GAP_MIN * oracle.values[0]!) continue;
    const best = oracle.best(r);
    assertClose(norm(sum.map((x, i) => x - best[i]!)), 0, TOLERANCE * oracle.norm, `distance to the best of rank ${r}`);
  }
}

function addComponent(sum: Float64Array, request: SampleRequest, answer: TruncatedSum, j: number): void {
  for (let i = 0; i < request.out; i += 1) {
    const left = answer.singularValues[j]! * answer.u[j * request.out + i]!;
    for (let k = 0; k < request.in; k += 1) sum[i * request.in + k]! += left * answer.v[j * request.in + k]!;
  }
}

/** Rows of v are orthonormal and canonical in sign; rows of u are so too, or zero where the value is. */
export function assertRows(request: SampleRequest, answer: TruncatedSum): void {
  const v = rowsOf(answer.v, request.in);
  const u = rowsOf(answer.u, request.out);
  for (let p = 0; p < answer.rank; p += 1) {
    const isPresent = answer.singularValues[p]! > 0;
    if (p > 0) assert.ok(answer.singularValues[p]! <= answer.singularValues[p - 1]!, 'values descend');
    for (let q = 0; q <= p; q += 1) {
      assertClose(inner(v[p]!, v[q]!), p === q ? 1 : 0, 1e-6, `v rows ${p} and ${q}`);
      assertClose(inner(u[p]!, u[q]!), p === q && isPresent ? 1 : 0, 1e-6, `u rows ${p} and ${q}`);
    }
    if (!isPresent) assert.ok(u[p]!.every((x) => x === 0));
    const largest = v[p]!.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const first = v[p]!.find((x) => Math.abs(x) >= largest * (1 - 2e-6));
    assert.ok(first !== undefined && first > 0, `sign of v row ${p}`);
  }
}

/** Eight probes estimate the dropped share within a factor of four, but for one draw in a million; in a space of few dimensions they do less. */
function assertResidual(request: SampleRequest, answer: TruncatedSum, oracle: Oracle): void {
  const dropped = oracle.norm > 0 ? norm(oracle.values.slice(answer.rank)) / oracle.norm : 0;
  const isLarge = Math.min(request.out, request.in) > 8;
  assert.ok(
    answer.residual <= (isLarge ? 4 * dropped : 30 * dropped) + 1e-6,
    `residual ${answer.residual}, dropped ${dropped}`,
  );
  if (isLarge) assert.ok(answer.residual >= 0.25 * dropped - 1e-6, `residual ${answer.residual}, dropped ${dropped}`);
}

function rowsOf(matrix: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: matrix.length / length }, (_, j) => matrix.subarray(j * length, (j + 1) * length));
}

function inner(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

export function assertClose(got: number, want: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(got - want) <= tolerance, `${what}: got ${got}, want ${want} within ${tolerance}`);
}

/** Everything of an answer that the input alone decides. */
export function bytesOf({ u, v, singularValues, energyKept, energyTotal, residual }: TruncatedSum): readonly unknown[] {
  const raw = [u, v, singularValues].map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  return [...raw, energyKept, energyTotal, residual];
}
