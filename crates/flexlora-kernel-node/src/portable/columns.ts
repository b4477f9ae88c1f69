import { timesPowerOfTwo } from './scale.ts';

/** A matrix in float64 as an array of its columns, all of one length. */
export type Columns = readonly Float64Array[];

export function zeroColumns(rows: number, cols: number): Columns {
  return Array.from({ length: cols }, () => new Float64Array(rows));
}

export function dot(a: Float64Array, b: Float64Array, from = 0): number {
  let sum = 0;
  for (let i = from; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

/** `y += factor · x`, from an index on. */
export function addScaled(y: Float64Array, factor: number, x: Float64Array, from = 0): void {
  for (let i = from; i < y.length; i += 1) y[i]! += factor * x[i]!;
}

/** Every value `· 2^power`. */
export function scaleByPowerOfTwo(matrix: Columns, power: number): void {
  for (const column of matrix) {
    for (let i = 0; i < column.length; i += 1) column[i] = timesPowerOfTwo(column[i]!, power);
  }
}

/** `left · rightᵀ`. */
export function timesTransposed(left: Columns, right: Columns): Columns {
  const product = zeroColumns(left[0]?.length ?? 0, right[0]?.length ?? 0);
  addTimesTransposed(product, left, right);
  return product;
}

/** `sum += left · rightᵀ`, column k of both after column k - 1. */
export function addTimesTransposed(sum: Columns, left: Columns, right: Columns): void {
  for (let k = 0; k < left.length; k += 1) {
    const [x, y] = [left[k]!, right[k]!];
    for (let j = 0; j < y.length; j += 1) {
      if (y[j] !== 0) addScaled(sum[j]!, y[j]!, x);
    }
  }
}

export function squaredNorm(matrix: Columns): number {
  return matrix.reduce((sum, column) => sum + dot(column, column), 0);
}
