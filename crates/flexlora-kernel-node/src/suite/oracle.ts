/**
 * An independent answer: W summed by plain loops in float64, and the spectrum of its smaller Gram matrix by two-sided Jacobi. Squaring
 * costs accuracy only below 1e-8 of the largest value, which the suite does not ask about.
 */
import type { SampleRequest } from './samples.ts';

export interface Oracle {
  /** Row-major, out × in. */
  readonly w: Float64Array;
  readonly norm: number;
  /** All min(out, in), descending. */
  readonly values: Float64Array;
  /** The best approximation of a rank, row-major; unique where the values at `rank` differ. */
  best(rank: number): Float64Array;
}

export function createOracle(request: SampleRequest): Oracle {
  const { out, in: cols } = request;
  const w = denseSum(request);
  const isTall = out >= cols;
  const at = isTall ? (i: number, j: number) => w[i * cols + j]! : (i: number, j: number) => w[j * cols + i]!;
  const [long, short] = isTall ? [out, cols] : [cols, out];
  const { values, vectors } = symmetricEigen(gram(at, long, short), short);
  const best = (rank: number): Float64Array => {
    const result = new Float64Array(w.length);
    for (const vector of vectors.slice(0, rank)) {
      for (let i = 0; i < long; i += 1) {
        let along = 0;
        for (let j = 0; j < short; j += 1) along += at(i, j) * vector[j]!;
        for (let j = 0; j < short; j += 1) result[isTall ? i * cols + j : j * cols + i]! += along * vector[j]!;
      }
    }
    return result;
  };
  return { w, norm: norm(w), values: values.map((x) => Math.sqrt(Math.max(0, x))), best };
}

export function denseSum({ out, in: cols, terms }: SampleRequest): Float64Array {
  const w = new Float64Array(out * cols);
  for (const { coefficient, a, aValues, bValues } of terms) {
    for (let i = 0; i < out; i += 1) {
      for (let j = 0; j < cols; j += 1) {
        let product = 0;
        for (let k = 0; k < a.rows; k += 1) product += bValues[i * a.rows + k]! * aValues[k * cols + j]!;
        w[i * cols + j]! += coefficient * product;
      }
    }
  }
  return w;
}

function gram(at: (i: number, j: number) => number, long: number, short: number): Float64Array[] {
  return Array.from({ length: short }, (_, p) =>
    Float64Array.from({ length: short }, (_, q) => {
      let sum = 0;
      for (let i = 0; i < long; i += 1) sum += at(i, p) * at(i, q);
      return sum;
    }),
  );
}

/** Cyclic Jacobi (Golub and Van Loan, 4th ed., section 8.5). */
function symmetricEigen(matrix: Float64Array[], side: number): { values: Float64Array; vectors: Float64Array[] } {
  const vectors = Array.from({ length: side }, (_, p) =>
    Float64Array.from({ length: side }, (_, q) => (p === q ? 1 : 0)),
  );
  for (let sweep = 0; sweep < 30; sweep += 1) {
    for (let p = 0; p < side - 1; p += 1) {
      for (let q = p + 1; q < side; q += 1) {
        const off = matrix[p]![q]!;
        if (off === 0) continue;
        const theta = (matrix[q]![q]! - matrix[p]![p]!) / (2 * off);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        for (const row of matrix) turn(row, p, q, c, c * t);
        turnRows(matrix[p]!, matrix[q]!, c, c * t);
        turnRows(vectors[p]!, vectors[q]!, c, c * t);
      }
    }
  }
  const order = vectors.map((_, j) => j).sort((p, q) => matrix[q]![q]! - matrix[p]![p]!);
  return { values: Float64Array.from(order, (j) => matrix[j]![j]!), vectors: order.map((j) => vectors[j]!) };
}

function turn(row: Float64Array, p: number, q: number, c: number, s: number): void {
  const [x, y] = [row[p]!, row[q]!];
  row[p] = c * x - s * y;
  row[q] = s * x + c * y;
}

function turnRows(a: Float64Array, b: Float64Array, c: number, s: number): void {
  for (let i = 0; i < a.length; i += 1) {
    const [x, y] = [a[i]!, b[i]!];
    a[i] = c * x - s * y;
    b[i] = s * x + c * y;
  }
}

export function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}
