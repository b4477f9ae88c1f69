import { F32_MAX } from '../adapter/f32-range.ts';

/** A matrix, row-major, of 8-bit integers with one scale a row: value = scale · q. */
export interface QuantisedMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly values: Int8Array;
  /** Finite, at least 0, at most `SCALE_MAX`. */
  readonly scales: Float32Array;
}

/** The largest q. −128 is not used, so that q and −q are both there. */
export const QUANTUM_MAX = 127;
/** Above it, −128 times the scale is no finite f32. */
export const SCALE_MAX = F32_MAX / 128;

const scale = new Float32Array(1);
const scaleBits = new Uint32Array(scale.buffer);

/**
 * Rounds each number to the nearest multiple of its row's scale, max|row| / 127: |x − scale · q| ≤ scale / 2. The scale is rounded up to f32,
 * so that no number is cut off.
 *
 * @param values row-major, rows × cols.
 * @returns null where a number is not finite, or too large for a scale.
 */
export function quantiseRows(values: Float32Array | Float64Array, rows: number, cols: number): QuantisedMatrix | null {
  const quantised = new Int8Array(rows * cols);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const from = row * cols;
    let largest = 0;
    for (let i = from; i < from + cols; i++) {
      const magnitude = Math.abs(values[i]!);
      // Asked so, NaN is refused as well.
      if (!(magnitude <= QUANTUM_MAX * SCALE_MAX)) return null;
      if (magnitude > largest) largest = magnitude;
    }
    if (largest === 0) continue;
    scale[0] = largest / QUANTUM_MAX;
    if (scale[0] * QUANTUM_MAX < largest) scaleBits[0]! += 1;
    const step = scale[0]!;
    scales[row] = step;
    for (let i = from; i < from + cols; i++) quantised[i] = Math.round(values[i]! / step);
  }
  return { rows, cols, values: quantised, scales };
}

/** The values as f32, rounded once. */
export function dequantiseRows({ rows, cols, values, scales }: QuantisedMatrix): Float32Array {
  const dequantised = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    const step = scales[row]!;
    for (let i = row * cols; i < (row + 1) * cols; i++) dequantised[i] = step * values[i]!;
  }
  return dequantised;
}
