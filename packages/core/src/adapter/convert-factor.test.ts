import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRefusal } from '../refusal.ts';
import { convertFactor } from './convert-factor.ts';
import { bytesOfValues, FACTOR_DTYPES, type FactorDtype, factorValues, type RawFactor } from './factor.ts';

const TENSOR = 'base_model.model.q.lora_A.weight';
const rowOf = (...numbers: readonly number[]): RawFactor => ({
  dtype: 'F32',
  rows: 1,
  cols: numbers.length,
  bytes: bytesOfValues(Float32Array.from(numbers)),
});

function converted(factor: RawFactor, dtype: FactorDtype): RawFactor {
  const answer = convertFactor(factor, dtype, TENSOR);
  assert.ok(!isRefusal(answer), isRefusal(answer) ? answer.message : '');
  assert.equal(answer.dtype, dtype);
  return answer;
}

test('what a type holds comes back as it was, through every other type that holds it too', () => {
  // Eight digits of fraction at a middling size: all three types hold it.
  const held = fc
    .tuple(fc.integer({ min: -255, max: 255 }), fc.integer({ min: -10, max: 6 }))
    .map(([n, e]) => n * 2 ** e);
  const types = fc.constantFrom(...FACTOR_DTYPES);
  fc.assert(
    fc.property(fc.array(held, { minLength: 1, maxLength: 20 }), types, types, (numbers, first, second) => {
      const there = converted(converted(rowOf(...numbers), first), second);
      assert.deepEqual([...factorValues(converted(there, 'F32'))], [...Float32Array.from(numbers)]);
    }),
  );
});

test('f16 and bf16 are rounded to nearest, ties to even', () => {
  const cases: readonly (readonly [FactorDtype, number, number])[] = [
    ['BF16', 1 + 2 ** -8, 1],
    ['BF16', 1 + 3 * 2 ** -8, 1 + 2 ** -6],
    ['BF16', 1 + 2 ** -8 + 2 ** -20, 1 + 2 ** -7],
    ['BF16', -(2 - 2 ** -9), -2],
    ['F16', 1 + 2 ** -11, 1],
    ['F16', 1 + 3 * 2 ** -11, 1 + 2 ** -9],
    ['F16', 65_519.996, 65_504],
    ['F16', 2 ** -25, 0],
    ['F16', 2 ** -25 + 2 ** -30, 2 ** -24],
  ];
  for (const [dtype, number, expected] of cases) {
    assert.equal(factorValues(converted(rowOf(number), dtype))[0], expected, `${number} as ${dtype}`);
  }
});

test('a number that a type cannot hold is refused by its place, and infinity is never made', () => {
  const cases: readonly (readonly [FactorDtype, number, RegExp])[] = [
    [
      'F16',
      65_520,
      /holds 65520 at index 4 \(row 1, column 1\), which F16 cannot hold; allowed: magnitudes up to 65504/,
    ],
    ['F16', -1e6, /update format bf16 or f32/],
    ['BF16', -3.4e38, /which BF16 cannot hold/],
  ];
  for (const [dtype, number, words] of cases) {
    const factor = { ...rowOf(1, 2, 3, 4, number, 6), rows: 2, cols: 3 };
    const answer = convertFactor(factor, dtype, TENSOR);
    assert.ok(isRefusal(answer));
    assert.equal(answer.reason, 'notFinite');
    assert.match(answer.message, words);
  }
});
