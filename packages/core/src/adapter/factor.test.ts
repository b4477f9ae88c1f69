import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bytesOfValues, factorValues } from './factor.ts';

describe('factorValues', () => {
  const half = (bits: number) =>
    factorValues({ dtype: 'F16', rows: 1, cols: 1, bytes: Uint8Array.of(bits & 0xff, bits >> 8) })[0]!;

  it('widens F16 exactly', () => {
    const known: readonly [number, number][] = [
      [0x0000, 0],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x0400, 2 ** -14],
      [0x0001, 2 ** -24],
      [0x3555, 0.333251953125],
    ];
    for (const [bits, value] of known) assert.equal(half(bits), value);
    assert.ok(Object.is(half(0x8000), -0));
  });

  it('widens BF16 as the upper half of F32', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        const bytes = bytesOfValues(Float32Array.of(value));
        const cut = Uint8Array.of(0, 0, bytes[2]!, bytes[3]!);
        const want = new Float32Array(cut.buffer)[0];
        assert.deepEqual(factorValues({ dtype: 'BF16', rows: 1, cols: 1, bytes: bytes.slice(2) })[0], want);
      }),
    );
  });

  it('reads F32 in place where it is aligned, and right where it is not', () => {
    const values = Float32Array.of(1, 2, 3);
    const bytes = bytesOfValues(values);
    assert.equal(factorValues({ dtype: 'F32', rows: 1, cols: 3, bytes }).buffer, values.buffer);
    const odd = new Uint8Array(13).subarray(1);
    odd.set(bytes);
    assert.deepEqual(factorValues({ dtype: 'F32', rows: 1, cols: 3, bytes: odd }), values);
    // It read a Buffer at an odd address from the beginning of what lies under it.
    const oddBuffer = Buffer.from(odd.buffer, 1);
    assert.deepEqual(factorValues({ dtype: 'F32', rows: 1, cols: 3, bytes: oddBuffer }), values);
  });
});
