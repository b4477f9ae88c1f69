/** A list of vectors of one length, in float64. */
export type Vectors = readonly Float64Array[];

/** W = Σ_j b_j · a_jᵀ (out × in): the columns of B (out × r) and the rows of A (r × in). W itself is never formed. */
export interface ThinProduct {
  readonly b: Vectors;
  readonly a: Vectors;
}

export const thinProduct = (b: ArrayLike<number>, a: ArrayLike<number>, rank: number): ThinProduct => ({
  b: columnsOf(b, rank),
  a: rowsOf(a, rank),
});

/** The columns of a row-major matrix of so many columns. */
function columnsOf(values: ArrayLike<number>, cols: number): Vectors {
  const rows = values.length / cols;
  const columns = Array.from({ length: cols }, () => new Float64Array(rows));
  for (let col = 0; col < cols; col++)
    for (let row = 0; row < rows; row++) columns[col]![row] = values[row * cols + col]!;
  return columns;
}

function rowsOf(values: ArrayLike<number>, rows: number): Vectors {
  const cols = values.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    const vector = new Float64Array(cols);
    for (let col = 0; col < cols; col++) vector[col] = values[row * cols + col]!;
    return vector;
  });
}

/** Row-major, from its columns: B. */
export function fromColumns(columns: Vectors): Float64Array {
  const cols = columns.length;
  const values = new Float64Array(cols * (columns[0]?.length ?? 0));
  for (let col = 0; col < cols; col++)
    for (let row = 0; row < columns[col]!.length; row++) values[row * cols + col] = columns[col]![row]!;
  return values;
}

/** Row-major, from its rows: A. */
export function fromRows(rows: Vectors): Float64Array {
  const cols = rows[0]?.length ?? 0;
  const values = new Float64Array(rows.length * cols);
  for (const [row, vector] of rows.entries()) values.set(vector, row * cols);
  return values;
}

/** All inner products: entry (i, j) is x_i · y_j. */
export const grams = (x: Vectors, y: Vectors): Vectors =>
  x.map((left) => Float64Array.from(y, (right) => dot(left, right)));

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

/** base_i + Σ_k weights_ik · of_k, for every i. */
export function addCombinations(base: Vectors, weights: Vectors, of: Vectors): Vectors {
  return base.map((vector, i) => {
    const sum = Float64Array.from(vector);
    for (const [k, other] of of.entries()) {
      const weight = weights[i]![k]!;
      for (let at = 0; at < sum.length; at++) sum[at]! += weight * other[at]!;
    }
    return sum;
  });
}

/** ⟨X, Y⟩ of two products, entry by entry, by their Gram matrices. */
export function innerProduct(x: ThinProduct, y: ThinProduct): number {
  const left = grams(x.b, y.b);
  const right = grams(x.a, y.a);
  return left.reduce((sum, row, i) => sum + dot(row, right[i]!), 0);
}
