/**
 * Powers of two. The sum is worked out at a scale near one, so that no square of it overflows or vanishes; multiplying by a power of
 * two is exact, so the answer does not depend on the scale chosen.
 */

/** The exponent `e` with `2^(e-1) <= |x| < 2^e`; 0 for zero. */
export function exponentOf(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return 0;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = (view.getUint16(0) >> 4) & 0x7ff;
  return bits === 0 ? exponentOf(x * 2 ** 64) - 64 : bits - 1022;
}

/** `x * 2^power`, for any power: infinite or zero only where the result is out of range. */
export function timesPowerOfTwo(x: number, power: number): number {
  let value = x;
  let left = power;
  while (left !== 0 && value !== 0 && Number.isFinite(value)) {
    const step = Math.max(-1000, Math.min(1000, left));
    value *= 2 ** step;
    left -= step;
  }
  return value;
}
