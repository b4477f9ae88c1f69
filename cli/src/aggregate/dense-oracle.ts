/** For tests: dense linear algebra in f64 on small matrices, independent of the kernel and of the core. */
export interface DenseMatrix {
  readonly rows: number;
  readonly cols: number;
  /** Row-major. */
  readonly values: Float64Array;
}

export function zeros(rows: number, cols: number): DenseMatrix {
  return { rows, cols, values: new Float64Array(rows * cols) };
}

/** `sum += coefficient · b · a`, with b rows × rank and a rank × cols. */
export function addProduct(
  sum: DenseMatrix,
  coefficient: number,
  b: ArrayLike<number>,
  a: ArrayLike<number>,
  rank: number,
): void {
  for (let i = 0; i < sum.rows; i++)
    for (let j = 0; j < rank; j++)
      for (let k = 0; k < sum.cols; k++)
        sum.values[i * sum.cols + k]! += coefficient * b[i * rank + j]! * a[j * sum.cols + k]!;
}

export function norm({ values }: DenseMatrix): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

export function distance(x: DenseMatrix, y: DenseMatrix): number {
  return norm({ ...x, values: x.values.map((value, i) => value - y.values[i]!) });
}

/** The best rank-r approximation `W V_r V_rᵀ`, and all singular values, descending. */
export function bestOfRank(
  w: DenseMatrix,
  rank: number,
): { readonly best: DenseMatrix; readonly spectrum: Float64Array } {
  const { columns, lengths } = rotateColumns(w);
  const order = [...lengths.keys()].sort((x, y) => lengths[y]! - lengths[x]!);
  const best = zeros(w.rows, w.cols);
  for (const j of order.slice(0, rank)) addProduct(best, 1, columns.u[j]!, columns.v[j]!, 1);
  return { best, spectrum: Float64Array.from(order, (j) => lengths[j]!) };
}

/**
 * One-sided Jacobi: rotates pairs of columns of W until all are orthogonal. Then column j is σ_j u_j, and the rotations' column j is v_j.
 * Source: Golub and Van Loan, Matrix Computations, section 8.6.3.
 */
function rotateColumns(w: DenseMatrix) {
  const u = Array.from({ length: w.cols }, (_, j) =>
    Float64Array.from({ length: w.rows }, (_, i) => w.values[i * w.cols + j]!),
  );
  const v = Array.from({ length: w.cols }, (_, j) =>
    Float64Array.from({ length: w.cols }, (_, i) => (i === j ? 1 : 0)),
  );
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  for (let sweep = 0, rotated = true; rotated; sweep++) {
    if (sweep === 60) throw new Error('the oracle did not converge in 60 sweeps');
    rotated = false;
    for (let p = 0; p < w.cols; p++) {
      for (let q = p + 1; q < w.cols; q++) {
        const [alpha, beta, gamma] = [dot(u[p]!, u[p]!), dot(u[q]!, u[q]!), dot(u[p]!, u[q]!)];
        if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta) || gamma === 0) continue;
        rotated = true;
        const zeta = (beta - alpha) / (2 * gamma);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, tangent);
        rotate(u[p]!, u[q]!, cosine, cosine * tangent);
        rotate(v[p]!, v[q]!, cosine, cosine * tangent);
      }
    }
  }
  return { columns: { u, v }, lengths: u.map((column) => Math.sqrt(dot(column, column))) };
}

function rotate(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < x.length; i++) {
    const [left, right] = [x[i]!, y[i]!];
    x[i] = cosine * left - sine * right;
    y[i] = sine * left + cosine * right;
  }
}
