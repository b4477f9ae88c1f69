import { KernelError } from '../kernel.ts';
import { type Columns, dot, zeroColumns } from './columns.ts';

/** Ten are usual; quadratic convergence makes thirty a sign of a bug. */
const SWEEPS_MAX = 30;

/** Two columns are orthogonal when their cosine is below this. */
const COSINE_MAX = 1e-15;

/** Columns below this share of the longest carry nothing that float64 could tell from rounding. */
const NEGLIGIBLE = 2 ** -104;

export interface Svd {
  readonly u: Columns;
  /** Descending. */
  readonly values: Float64Array;
  readonly v: Columns;
}

/**
 * One-sided Jacobi (Hestenes): rotates the columns of a square matrix until they are orthogonal; their lengths are the singular
 * values. Slower than bidiagonalisation and as accurate as any, in fifty lines. Overwrites `matrix`.
 */
export function jacobiSvd(matrix: Columns, module: string): Svd {
  const side = matrix.length;
  const right = zeroColumns(side, side);
  for (let j = 0; j < side; j += 1) right[j]![j] = 1;
  orthogonalize(matrix, right, module);
  const lengths = matrix.map((column) => Math.sqrt(dot(column, column)));
  const order = lengths.map((_, j) => j).sort((p, q) => lengths[q]! - lengths[p]! || p - q);
  return {
    u: order.map((j) => matrix[j]!.map((x) => (lengths[j]! > 0 ? x / lengths[j]! : 0))),
    values: Float64Array.from(order, (j) => lengths[j]!),
    v: order.map((j) => right[j]!),
  };
}

function orthogonalize(matrix: Columns, right: Columns, module: string): void {
  const side = matrix.length;
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep += 1) {
    const squares = matrix.map((column) => dot(column, column));
    const floor = largest(squares) * NEGLIGIBLE ** 2;
    let turned = 0;
    for (let p = 0; p < side - 1; p += 1) {
      for (let q = p + 1; q < side; q += 1) {
        if (squares[p]! <= floor || squares[q]! <= floor) continue;
        const along = dot(matrix[p]!, matrix[q]!);
        if (Math.abs(along) <= COSINE_MAX * side * Math.sqrt(squares[p]! * squares[q]!)) continue;
        const tangent = rotationTangent(squares[p]!, squares[q]!, along);
        rotate(matrix[p]!, matrix[q]!, tangent);
        rotate(right[p]!, right[q]!, tangent);
        squares[p] = Math.max(0, squares[p]! - tangent * along);
        squares[q] = squares[q]! + tangent * along;
        turned += 1;
      }
    }
    if (turned === 0) return;
  }
  throw new KernelError(
    'notConverged',
    `module ${JSON.stringify(module)}: the SVD of a ${side} x ${side} matrix did not converge in ${SWEEPS_MAX} sweeps: report this input`,
  );
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** The smaller root of `t² + 2ζt - 1 = 0`, ζ = (β - α) / 2γ. */
function rotationTangent(alpha: number, beta: number, gamma: number): number {
  const zeta = (beta - alpha) / (2 * gamma);
  return (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(zeta, 1));
}

function rotate(p: Float64Array, q: Float64Array, tangent: number): void {
  const c = 1 / Math.hypot(tangent, 1);
  const s = c * tangent;
  for (let i = 0; i < p.length; i += 1) {
    const [x, y] = [p[i]!, q[i]!];
    p[i] = c * x - s * y;
    q[i] = s * x + c * y;
  }
}
