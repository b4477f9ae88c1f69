import { componentOffsets, factorValues, type LayoutModule } from '@flexlora/core';
import type { FactorPair } from '../pull-factors.ts';

/** A matrix in f64, row-major. */
export interface Dense {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float64Array;
}

export const zeros = (rows: number, cols: number): Dense => ({ rows, cols, values: new Float64Array(rows * cols) });

/** `sum += coefficient · b[:, :rank] · a[:rank, :]`. */
export function addProduct(sum: Dense, coefficient: number, { b, a }: FactorPair, rank = b.cols): void {
  const [left, right] = [factorValues(b), factorValues(a)];
  for (let i = 0; i < sum.rows; i += 1)
    for (let j = 0; j < rank; j += 1)
      for (let k = 0; k < sum.cols; k += 1)
        sum.values[i * sum.cols + k]! += coefficient * left[i * b.cols + j]! * right[j * sum.cols + k]!;
}

/** Σ_{j < rank} (σ_j u_j) v_jᵀ of one module, read from the bytes of a rank-major object. */
export function productOfPrefix(
  bytes: Uint8Array,
  layout: readonly LayoutModule[],
  index: number,
  rank: number,
): Dense {
  const { out, in: columns } = layout[index]!;
  const sum = zeros(out, columns);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let component = 0; component < rank; component += 1) {
    const { sigmaUAt, vAt } = componentOffsets(layout, component)[index]!;
    for (let i = 0; i < out; i += 1)
      for (let k = 0; k < columns; k += 1)
        sum.values[i * columns + k]! += view.getFloat32(sigmaUAt + 4 * i, true) * view.getFloat32(vAt + 4 * k, true);
  }
  return sum;
}

export function distance(x: Dense, y: Dense): number {
  return Math.hypot(...x.values.map((value, i) => value - y.values[i]!));
}

/** Singular values, descending, by one-sided Jacobi rotations: slow, short, and nothing like the kernel's way. */
export function singularValues({ rows, cols, values }: Dense): readonly number[] {
  const columns = Array.from({ length: cols }, (_, k) =>
    Float64Array.from({ length: rows }, (_, i) => values[i * cols + k]!),
  );
  const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  for (let sweep = 0; sweep < 60; sweep += 1) {
    for (let p = 0; p < cols; p += 1) {
      for (let q = p + 1; q < cols; q += 1) {
        const [x, y] = [columns[p]!, columns[q]!];
        const [alpha, beta, gamma] = [dot(x, x), dot(y, y), dot(x, y)];
        if (Math.abs(gamma) <= 1e-300) continue;
        const zeta = (beta - alpha) / (2 * gamma);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, tangent);
        const sine = cosine * tangent;
        for (let i = 0; i < rows; i += 1) {
          const [xi, yi] = [x[i]!, y[i]!];
          x[i] = cosine * xi - sine * yi;
          y[i] = sine * xi + cosine * yi;
        }
      }
    }
  }
  return columns.map((column) => Math.sqrt(dot(column, column))).sort((x, y) => y - x);
}
