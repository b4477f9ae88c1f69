import { addScaled, type Columns, dot, zeroColumns } from './columns.ts';

/** Householder QR of a tall matrix; Q is only ever applied, never formed. */
export interface ThinQr {
  /** The square upper triangular factor, zeros below. */
  readonly r: Columns;
  /** `Q · [x; 0]`, as many rows as the matrix that was factored. */
  applyQ(x: Columns): Columns;
}

/** Overwrites `matrix` (Golub and Van Loan, 4th ed., algorithm 5.2.1); it must not have more columns than rows. */
export function createThinQr(matrix: Columns): ThinQr {
  const rows = matrix[0]?.length ?? 0;
  const side = matrix.length;
  const r = zeroColumns(side, side);
  const taus = matrix.map((column, k) => {
    const tau = reflectorInPlace(column, k);
    for (let j = k + 1; j < side; j += 1) reflect(column, tau, k, matrix[j]!);
    return tau;
  });
  for (let j = 0; j < side; j += 1) {
    for (let i = 0; i < j; i += 1) r[j]![i] = matrix[j]![i]!;
    r[j]![j] = taus[j]!.diagonal;
  }
  const applyQ = (x: Columns): Columns => {
    const y = zeroColumns(rows, x.length);
    for (const [j, column] of x.entries()) {
      y[j]!.set(column);
      for (let k = side - 1; k >= 0; k -= 1) reflect(matrix[k]!, taus[k]!, k, y[j]!);
    }
    return y;
  };
  return { r, applyQ };
}

interface Reflector {
  /** H = I - scale · v vᵀ, with v in the column from its diagonal on. */
  readonly scale: number;
  readonly diagonal: number;
}

function reflectorInPlace(column: Float64Array, k: number): Reflector {
  const norm = Math.sqrt(dot(column, column, k));
  if (norm === 0) return { scale: 0, diagonal: 0 };
  const head = column[k]!;
  const diagonal = head > 0 ? -norm : norm;
  column[k] = head - diagonal;
  return { scale: 1 / (norm * (norm + Math.abs(head))), diagonal };
}

function reflect(v: Float64Array, reflector: Reflector, k: number, target: Float64Array): void {
  if (reflector.scale !== 0) addScaled(target, -reflector.scale * dot(v, target, k), v, k);
}
