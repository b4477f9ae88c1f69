import type { Factor, FactorDtype } from '../kernel.ts';

export const BYTES_PER_VALUE: Readonly<Record<FactorDtype, number>> = { F32: 4, F16: 2, BF16: 2 };

/** Reads one value as float64, which every one of the three types converts to exactly. */
export type FactorReader = (index: number) => number;

/** `bytes` must have the length that dtype and shape ask for: `checkRequest` sees to it. */
export function createFactorReader(factor: Factor): FactorReader {
  const view = new DataView(factor.bytes.buffer, factor.bytes.byteOffset, factor.bytes.byteLength);
  switch (factor.dtype) {
    case 'F32':
      return (index) => view.getFloat32(index * 4, true);
    case 'F16':
      return (index) => halfToNumber(view.getUint16(index * 2, true));
    case 'BF16':
      return (index) => bfloatToNumber(view.getUint16(index * 2, true));
  }
}

/** IEEE 754 binary16. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const widened = new DataView(new ArrayBuffer(4));

/** The upper half of a binary32. */
function bfloatToNumber(bits: number): number {
  widened.setUint32(0, bits << 16);
  return widened.getFloat32(0);
}
