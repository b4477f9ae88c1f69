import type { KernelTerm } from '../kernel.ts';
import { type Columns, zeroColumns } from './columns.ts';
import { createFactorReader } from './factor.ts';

/** Factors side by side: Σ c_k B_k A_k = b · aTransposedᵀ. */
export interface Stack {
  /** out × R, each column already multiplied by its term's coefficient. */
  readonly b: Columns;
  /** in × R. */
  readonly aTransposed: Columns;
}

/** The columns of one term. */
export function stackOf({ a, b }: KernelTerm, coefficient: number): Stack {
  const rank = a.rows;
  const columns = { b: zeroColumns(b.rows, rank), aTransposed: zeroColumns(a.cols, rank) };
  const readB = createFactorReader(b);
  const readA = createFactorReader(a);
  for (let k = 0; k < rank; k += 1) {
    const bColumn = columns.b[k]!;
    const aColumn = columns.aTransposed[k]!;
    for (let i = 0; i < b.rows; i += 1) bColumn[i] = coefficient * readB(i * rank + k);
    for (let j = 0; j < a.cols; j += 1) aColumn[j] = readA(k * a.cols + j);
  }
  return columns;
}
