import type { Vectors } from './thin-product.ts';

/**
 * Solves (G + ridge · mean(diag G) · I) X = Y by a Cholesky factorisation.
 *
 * @param gram symmetric, positive semi-definite, n × n.
 * @param right n × m.
 * @returns n × m; null for a matrix of zeros, or with numbers that are not finite.
 */
export function solveRidge(gram: Vectors, right: Vectors, ridge: number): Vectors | null {
  const n = gram.length;
  const trace = gram.reduce((sum, row, i) => sum + row[i]!, 0);
  if (!(trace > 0 && trace < Number.POSITIVE_INFINITY)) return null;
  const lower = factorise(gram, (ridge * trace) / n);
  if (lower === null) return null;
  const x = right.map((row) => Float64Array.from(row));
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) subtract(x[i]!, lower[i]![k]!, x[k]!);
    divide(x[i]!, lower[i]![i]!);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) subtract(x[i]!, lower[k]![i]!, x[k]!);
    divide(x[i]!, lower[i]![i]!);
  }
  return x;
}

/** L of G + shift · I = L Lᵀ; null where rounding, or what is not finite, leaves no positive pivot. */
function factorise(gram: Vectors, shift: number): Vectors | null {
  const lower = gram.map((row) => new Float64Array(row.length));
  for (let i = 0; i < gram.length; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = gram[i]![j]! + (i === j ? shift : 0);
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
      if (i === j && !(sum > 0)) return null;
      lower[i]![j] = i === j ? Math.sqrt(sum) : sum / lower[j]![j]!;
    }
  }
  return lower;
}

function subtract(from: Float64Array, weight: number, row: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i]! -= weight * row[i]!;
}

function divide(row: Float64Array, by: number): void {
  for (let i = 0; i < row.length; i++) row[i]! /= by;
}
