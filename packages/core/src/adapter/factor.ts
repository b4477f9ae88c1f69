/** Element type of a factor as safetensors names it; little-endian. The types that PEFT saves adapters in. */
export type FactorDtype = 'F32' | 'F16' | 'BF16';

export const FACTOR_DTYPES: readonly FactorDtype[] = ['F32', 'F16', 'BF16'];

/** `lora_B` (out × r) or `lora_A` (r × in). */
export type FactorSide = 'b' | 'a';

/** A matrix, row-major, as raw little-endian bytes. Whoever holds one reads it and never writes it. */
export interface RawFactor {
  readonly dtype: FactorDtype;
  readonly rows: number;
  readonly cols: number;
  readonly bytes: Uint8Array;
}

const BYTES_OF: Readonly<Record<FactorDtype, number>> = { F32: 4, F16: 2, BF16: 2 };

export const factorElementBytes = (dtype: FactorDtype): number => BYTES_OF[dtype];

export function isFactorDtype(dtype: string): dtype is FactorDtype {
  return (FACTOR_DTYPES as readonly string[]).includes(dtype);
}

/** The values as f32: a view of the bytes where they are aligned F32, else a copy. Widening F16 and BF16 is exact. */
export function factorValues(factor: RawFactor): Float32Array {
  const { dtype, bytes } = factor;
  const count = factor.rows * factor.cols;
  switch (dtype) {
    case 'F32':
      if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, count);
      // Not `slice`: that of a Buffer copies nothing.
      return new Float32Array(new Uint8Array(bytes).buffer, 0, count);
    case 'BF16': {
      const values = new Float32Array(count);
      const bits = new Uint32Array(values.buffer);
      for (let i = 0; i < count; i++) bits[i] = (bytes[2 * i]! << 16) | (bytes[2 * i + 1]! << 24);
      return values;
    }
    case 'F16': {
      const values = new Float32Array(count);
      for (let i = 0; i < count; i++) values[i] = halfToNumber(bytes[2 * i]! | (bytes[2 * i + 1]! << 8));
      return values;
    }
  }
}

/** IEEE 754 binary16: 1 sign bit, 5 of exponent (bias 15), 10 of fraction. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The bytes of f32 values, without a copy. Every platform that Node runs on is little-endian, as safetensors is. */
export function bytesOfValues(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
