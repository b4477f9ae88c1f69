import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FACTOR_DTYPES, type FactorDtype } from './factor.ts';
import { createFiniteScanner } from './finite-scanner.ts';

const NOT_FINITE: Readonly<Record<FactorDtype, readonly number[]>> = {
  F32: [0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff],
  F16: [0x7c00, 0xfc00, 0x7e00, 0xffff],
  BF16: [0x7f80, 0xff80, 0x7fc0, 0xffff],
};
/** Whose exponent lacks one bit: the largest numbers, and those whose other bits are all set. */
const FINITE: Readonly<Record<FactorDtype, readonly number[]>> = {
  F32: [0x7f7fffff, 0xff7fffff, 0x7effffff, 0x3fffffff, 0],
  F16: [0x7bff, 0xfbff, 0x77ff, 0x3fff, 0],
  BF16: [0x7f7f, 0xff7f, 0x7eff, 0x3fff, 0],
};

test('the first number that is not finite is found, wherever the bytes are cut and lie', () => {
  const cases = fc.constantFrom(...FACTOR_DTYPES).chain((dtype) =>
    fc.record({
      dtype: fc.constant(dtype),
      numbers: fc.array(
        fc.oneof(
          { weight: 200, arbitrary: fc.constantFrom(...FINITE[dtype]) },
          { weight: 1, arbitrary: fc.constantFrom(...NOT_FINITE[dtype]) },
        ),
        { maxLength: 200 },
      ),
      cuts: fc.array(fc.nat(800), { maxLength: 6 }),
      shift: fc.nat(7),
    }),
  );
  const scanner = createFiniteScanner();
  fc.assert(
    fc.property(cases, ({ dtype, numbers, cuts, shift }) => {
      const width = dtype === 'F32' ? 4 : 2;
      const bytes = new Uint8Array(shift + width * numbers.length).subarray(shift);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      numbers.forEach((number, i) => {
        if (width === 4) view.setUint32(4 * i, number, true);
        else view.setUint16(2 * i, number, true);
      });
      const expected = numbers.findIndex((number) => NOT_FINITE[dtype].includes(number));
      scanner.begin(dtype);
      const ends = [...cuts.filter((cut) => cut < bytes.byteLength), bytes.byteLength].sort((a, b) => a - b);
      let found: number | null = null;
      let from = 0;
      for (const end of ends) {
        found ??= scanner.push(bytes.subarray(from, end));
        from = end;
      }
      assert.equal(found, expected === -1 ? null : expected);
    }),
    { numRuns: 2_000 },
  );
});
