import type { CheckedTerm } from './checked-sum.ts';
import { type Columns, zeroColumns } from './columns.ts';
import { createFactorReader } from './factor.ts';

/** The factors of several terms side by side: Σ c_k B_k A_k = b · aTransposedᵀ. */
export interface Stack {
  /** out × R, each column already multiplied by its term's coefficient. */
  readonly b: Columns;
  /** in × R. */
  readonly aTransposed: Columns;
}

export function stack(out: number, cols: number, terms: readonly CheckedTerm[]): Stack {
  const rankSum = terms.reduce((sum, term) => sum + term.rank, 0);
  const b = zeroColumns(out, rankSum);
  const aTransposed = zeroColumns(cols, rankSum);
  let first = 0;
  for (const term of terms) {
    const readB = createFactorReader(term.b);
    const readA = createFactorReader(term.a);
    for (let k = 0; k < term.rank; k += 1) {
      const bColumn = b[first + k]!;
      const aColumn = aTransposed[first + k]!;
      for (let i = 0; i < out; i += 1) bColumn[i] = term.coefficient * readB(i * term.rank + k);
      for (let j = 0; j < cols; j += 1) aColumn[j] = readA(k * cols + j);
    }
    first += term.rank;
  }
  return { b, aTransposed };
}
