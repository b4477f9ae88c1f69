import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { F32_MAX } from '../adapter/f32-range.ts';
import { dequantiseRows, QUANTUM_MAX, quantiseRows, SCALE_MAX } from './quantise-rows.ts';

const f32 = fc.float({
  noNaN: true,
  noDefaultInfinity: true,
  max: Math.fround(F32_MAX / 2),
  min: Math.fround(-F32_MAX / 2),
});

test('no number is further from what is sent than half a step of its row, subnormal ones included', () => {
  const matrix = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }))
    .chain(([rows, cols]) =>
      fc.tuple(fc.constant(rows), fc.constant(cols), fc.array(f32, { minLength: rows * cols, maxLength: rows * cols })),
    );
  fc.assert(
    fc.property(matrix, ([rows, cols, numbers]) => {
      const quantised = quantiseRows(Float32Array.from(numbers), rows, cols);
      assert.ok(quantised !== null);
      for (const [i, x] of numbers.entries()) {
        const step = quantised.scales[Math.floor(i / cols)]!;
        const q = quantised.values[i]!;
        assert.ok(Math.abs(q) <= QUANTUM_MAX);
        assert.ok(Math.abs(x - step * q) <= step / 2, `${x} is sent as ${step} · ${q}`);
      }
      assert.ok(dequantiseRows(quantised).every(Number.isFinite));
    }),
    { numRuns: 2_000 },
  );
});

test('a row of zeros has the scale 0, and the largest of a row is a whole step', () => {
  const { scales, values } = quantiseRows(Float32Array.of(0, 0, -2, 1.5), 2, 2)!;
  assert.equal(scales[0], 0);
  assert.deepEqual([...values], [0, 0, -127, 95]);
});

test('what is not finite, or too large for a scale, is told', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, F32_MAX]) {
    assert.equal(quantiseRows(Float32Array.of(1, bad, 2), 1, 3), null);
  }
  const largest = Math.fround(QUANTUM_MAX * SCALE_MAX);
  const { scales } = quantiseRows(Float32Array.of(largest), 1, 1)!;
  assert.ok(scales[0]! <= SCALE_MAX);
});
