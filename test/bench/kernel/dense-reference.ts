import type { KernelTerm } from '@flexlora/kernel';
import { comparedRanks, type Reference } from './reference.ts';
import { spreadOf } from './spread.ts';

/**
 * For tests on tiny sums: all of W in float64, its smallest errors from the eigenvalues of WᵀW. What numpy is to the benchmark, without Python, and
 * without a clock: its seconds are the ones given.
 */
export function createDenseReference(seconds: { readonly form: number; readonly svd: number }): Reference {
  return {
    name: 'dense, float64',
    measure: async ({ kernelCase: { out, in: columns }, terms, answer }) => {
      const w = new Float64Array(out * columns);
      for (const { b, a, coefficient } of terms) addProduct(w, columns, coefficient, valuesOf(b), valuesOf(a), a.rows);
      const energies = eigenvalues(gram(w, columns), columns).sort((x, y) => y - x);
      const energy = squares(w);
      const errors = comparedRanks(answer?.rank ?? 0).map((rank) => {
        const rest = Float64Array.from(w);
        for (let j = 0; j < rank; j++) {
          const [u, v] = [answer!.u.subarray(j * out), answer!.v.subarray(j * columns)];
          addProduct(rest, columns, -answer!.singularValues[j]!, u.subarray(0, out), v.subarray(0, columns), 1);
        }
        const left = energies.slice(rank).reduce((sum, value) => sum + Math.max(0, value), 0);
        return {
          rank,
          relativeError: Math.sqrt(squares(rest) / energy),
          optimalRelativeError: Math.sqrt(left / energy),
        };
      });
      return { formSeconds: spreadOf([seconds.form]), svdSeconds: spreadOf([seconds.svd]), errors };
    },
  };
}

/** Convergence is quadratic: tiny matrices take six to eight. */
const SWEEPS_MAX = 40;

function valuesOf({ bytes, rows, cols }: KernelTerm['b']): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, rows * cols);
}

/** `w += coefficient · b · a`. */
function addProduct(
  w: Float64Array,
  columns: number,
  coefficient: number,
  b: ArrayLike<number>,
  a: ArrayLike<number>,
  rank: number,
): void {
  for (let i = 0; i < w.length / columns; i++)
    for (let j = 0; j < rank; j++)
      for (let k = 0; k < columns; k++) w[i * columns + k]! += coefficient * b[i * rank + j]! * a[j * columns + k]!;
}

function squares(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}

function gram(w: Float64Array, columns: number): Float64Array {
  const g = new Float64Array(columns * columns);
  for (let at = 0; at < w.length; at += columns)
    for (let i = 0; i < columns; i++) for (let j = 0; j < columns; j++) g[i * columns + j]! += w[at + i]! * w[at + j]!;
  return g;
}

/** Of a symmetric matrix, which is overwritten: Jacobi's rotations, until what is off the diagonal is rounding (Golub and Van Loan, 8.5). */
function eigenvalues(g: Float64Array, n: number): number[] {
  const at = (i: number, j: number) => i * n + j;
  const rounding = 1e-30 * squares(g);
  const offDiagonal = () => squares(g.map((value, i) => (i % (n + 1) === 0 ? 0 : value)));
  for (let sweep = 0; offDiagonal() > rounding; sweep++) {
    if (sweep === SWEEPS_MAX) throw new Error(`the eigenvalues did not converge in ${SWEEPS_MAX} sweeps`);
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (g[at(p, q)] === 0) continue;
        const tau = (g[at(q, q)]! - g[at(p, p)]!) / (2 * g[at(p, q)]!);
        const tangent = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.hypot(1, tau));
        const cosine = 1 / Math.hypot(1, tangent);
        const rotate = (x: number, y: number) => {
          const [left, right] = [g[x]!, g[y]!];
          g[x] = cosine * (left - tangent * right);
          g[y] = cosine * (tangent * left + right);
        };
        for (let k = 0; k < n; k++) rotate(at(k, p), at(k, q));
        for (let k = 0; k < n; k++) rotate(at(p, k), at(q, k));
      }
    }
  }
  return Array.from({ length: n }, (_, i) => g[at(i, i)]!);
}
