import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDraw } from '../suite/samples.ts';
import { createHeap } from './heap.ts';
import { eigenOf, eigenvaluesOf } from './symmetric-eigen.ts';

const heap = createHeap();

/** `Σ values_j x_j x_jᵀ` with the orthonormal x of two random reflections. */
function withSpectrum(values: readonly number[], seed: number): Float64Array {
  const order = values.length;
  const s = new Float64Array(order * order);
  for (let i = 0; i < order; i += 1) s[i * order + i] = values[i]!;
  const draw = createDraw(seed);
  for (let turn = 0; turn < 2; turn += 1) {
    const v = Float64Array.from({ length: order }, draw);
    const scale = 2 / v.reduce((sum, x) => sum + x * x, 0);
    for (const [step, next] of [[1, order] as const, [order, 1] as const]) {
      for (let line = 0; line < order; line += 1) {
        let along = 0;
        for (let j = 0; j < order; j += 1) along += s[line * next + j * step]! * v[j]!;
        for (let j = 0; j < order; j += 1) s[line * next + j * step]! -= scale * along * v[j]!;
      }
    }
  }
  return s;
}

function assertEigen(matrix: Float64Array, order: number, spectrum: readonly number[]): void {
  const size = spectrum.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const want = [...spectrum].sort((a, b) => b - a);
  const tolerance = 1e-14 * size * order;
  const { values, vectors } = eigenOf(heap, matrix, order);
  const alone = eigenvaluesOf(heap, matrix, order);
  for (let p = 0; p < order; p += 1) {
    assert.ok(Math.abs(values[p]! - want[p]!) <= tolerance, `value ${p}: ${values[p]}, want ${want[p]}`);
    assert.ok(Math.abs(alone[p]! - want[p]!) <= tolerance, `value ${p} alone: ${alone[p]}, want ${want[p]}`);
    for (let i = 0; i < order; i += 1) {
      let image = 0;
      for (let j = 0; j < order; j += 1) image += matrix[i * order + j]! * vectors[p]![j]!;
      assert.ok(Math.abs(image - values[p]! * vectors[p]![i]!) <= tolerance, `vector ${p}`);
    }
    for (let q = 0; q <= p; q += 1) {
      const inner = vectors[p]!.reduce((sum, x, i) => sum + x * vectors[q]![i]!, 0);
      assert.ok(Math.abs(inner - (p === q ? 1 : 0)) < 1e-13 * order, `vectors ${p} and ${q}: ${inner}`);
    }
  }
}

test('spectra of every kind are found, with orthonormal vectors', () => {
  const flat = (order: number) => Array.from({ length: order }, (_, j) => 1 + j / order);
  const steep = (order: number) => Array.from({ length: order }, (_, j) => 10 ** (-j / 3));
  for (const order of [1, 2, 3, 7, 48, 65]) {
    for (const spectrum of [flat(order), steep(order), steep(order).map((x, j) => (j % 2 === 0 ? x : -x))])
      assertEigen(withSpectrum(spectrum, order), order, spectrum);
  }
});

test('repeated values, zeros and any scale are found', () => {
  const repeated = Array.from({ length: 40 }, (_, j) => (j < 13 ? 2 : j < 30 ? 1 : 0));
  for (const scale of [1, 1e-120, 1e120]) {
    const spectrum = repeated.map((x) => x * scale);
    assertEigen(withSpectrum(spectrum, 3), 40, spectrum);
  }
  assertEigen(new Float64Array(49), 7, new Array(7).fill(0));
  const diagonal = new Float64Array(25);
  for (const [j, x] of [3, 1, 2, 5, 4].entries()) diagonal[j * 6] = x;
  assertEigen(diagonal, 5, [1, 2, 3, 4, 5]);
});

test('a matrix that falls apart in blocks is found', () => {
  const order = 20;
  const s = new Float64Array(order * order);
  const block = withSpectrum([4, 3, 2, 1, 0.5, 0.25, 0.125, 0, -1, -2], 5);
  for (let i = 0; i < 10; i += 1) {
    for (let j = 0; j < 10; j += 1) {
      s[i * order + j] = block[i * 10 + j]!;
      s[(i + 10) * order + j + 10] = block[i * 10 + j]!;
    }
  }
  const half = [4, 3, 2, 1, 0.5, 0.25, 0.125, 0, -1, -2];
  assertEigen(s, order, [...half, ...half]);
});
