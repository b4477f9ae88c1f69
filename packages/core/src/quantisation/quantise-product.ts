import { dequantiseRows, QUANTUM_MAX, type QuantisedMatrix, quantiseRows } from './quantise-rows.ts';
import { solveRidge } from './solve-ridge.ts';
import {
  addCombinations,
  fromColumns,
  fromRows,
  grams,
  innerProduct,
  type ThinProduct,
  thinProduct,
  type Vectors,
} from './thin-product.ts';

/** Both factors of one module as they travel. */
export interface QuantisedPair {
  readonly b: QuantisedMatrix;
  readonly a: QuantisedMatrix;
}

export interface QuantisedProduct {
  readonly sent: QuantisedPair;
  /** What was to be sent: the trained factors with what earlier rounds lost folded in. `meant − sent` is lost in this round. */
  readonly meant: ThinProduct;
  /** ‖BA − BqAq‖² and ‖BA‖², Frobenius, of the trained factors. */
  readonly errorEnergy: number;
  readonly energy: number;
}

/** Directions of a factor that are weaker than this, to its root mean square, are not told from rounding: nothing is fed back through them. */
const RIDGE = 1 / QUANTUM_MAX ** 2;

/**
 * Quantises the factors of one module so that their product is near T = BA + E, where E is what earlier rounds lost. The factors of two rounds
 * have no basis in common, so that E is fed back as a product. A takes the part of E in the column space of B, B then the part in the row
 * space of the quantised A, with what A lost by its own rounding:
 *
 *     A* = A + (BᵀB + λI)⁻¹ BᵀE,            Aq = Q(A*)
 *     B* = B + (T − B Aq) Aqᵀ (Aq Aqᵀ + λI)⁻¹,  Bq = Q(B*)
 *
 * Each is the least-squares answer, held near the trained factor by λ. The part of E in neither space is lost.
 *
 * @param lost E, or null where nothing was. One that rounding cannot have made, because it is as large as a good part of BA, is left out: it is
 * of an adapter that was rolled back, or of a file that was damaged.
 * @param basis `free`: the factors may change as long as their product stays, which is sent the better for it; `kept`: they are averaged one by one.
 * @returns without E where that gives numbers that are not finite; null where the trained ones are not, or are too large.
 */
export function quantiseProduct(
  trained: ThinProduct,
  lost: ThinProduct | null,
  basis: 'free' | 'kept',
): QuantisedProduct | null {
  const factors = basis === 'free' ? withUnitColumns(trained) : trained;
  const fed = lost !== null && isOfRounding(lost, factors) ? lost : NOTHING;
  return compensated(factors, fed) ?? plain(factors);
}

/** ‖E‖ is below 0.01 ‖BA‖ from round to round (tests say so), and so below this where BA shrank to a tenth meanwhile. */
const LOST_SHARE_MAX = 0.1;

/** Also false where either is not finite. */
const isOfRounding = (lost: ThinProduct, trained: ThinProduct): boolean =>
  innerProduct(lost, lost) <= LOST_SHARE_MAX ** 2 * innerProduct(trained, trained);

/**
 * B with columns of norm 1, and their norms in the rows of A, which have a scale each. Each row of B has one scale for all its columns, and where
 * their norms differ by orders of magnitude, as after a singular value decomposition, the small ones would be rounded away.
 */
function withUnitColumns({ b, a }: ThinProduct): ThinProduct {
  const norms = b.map((column) => Math.sqrt(dotOf(column, column)));
  const isScalable = (k: number): boolean => norms[k]! > 0 && norms[k]! < Number.POSITIVE_INFINITY;
  return {
    b: b.map((column, k) => (isScalable(k) ? column.map((value) => value / norms[k]!) : column)),
    a: a.map((row, k) => (isScalable(k) ? row.map((value) => value * norms[k]!) : row)),
  };
}

const NOTHING: ThinProduct = { b: [], a: [] };

function plain(trained: ThinProduct): QuantisedProduct | null {
  const a = quantiseA(trained.a);
  const b = quantiseB(trained.b);
  return a === null || b === null ? null : withError(trained, trained, { b, a });
}

function compensated(trained: ThinProduct, lost: ThinProduct): QuantisedProduct | null {
  const a = rightFactor(trained, lost);
  const quantisedA = quantiseA(a);
  if (quantisedA === null) return null;
  const aSent = rowsOfQuantised(quantisedA);
  const quantisedB = quantiseB(leftFactor(trained, lost, aSent));
  if (quantisedB === null) return null;
  const meant = { b: lost.b.length === 0 ? trained.b : leftFactor(trained, lost, a), a };
  const quantised = withError(trained, meant, { b: quantisedB, a: quantisedA });
  return Number.isFinite(innerProduct(meant, meant)) ? quantised : null;
}

/** A*: trained A, and of E what B can carry. */
function rightFactor({ b, a }: ThinProduct, lost: ThinProduct): Vectors {
  const weights = solveRidge(grams(b, b), grams(b, lost.b), RIDGE);
  return weights === null ? a : addCombinations(a, weights, lost.a);
}

/** The B* that brings B* · rows nearest to BA + E. */
function leftFactor({ b, a }: ThinProduct, lost: ThinProduct, rows: Vectors): Vectors {
  const gram = grams(rows, rows);
  // (T − B · rows) · rowsᵀ = Σ_j b_j ((a_j − rows_j) · rows_i) + Σ_k e_k (f_k · rows_i), transposed.
  const missed = grams(rows, a).map((row, i) => row.map((product, j) => product - gram[i]![j]!));
  const right = missed.map((row, i) => Float64Array.from([...row, ...lost.a.map((f) => dotOf(rows[i]!, f))]));
  const weights = solveRidge(gram, right, RIDGE);
  return weights === null ? b : addCombinations(b, weights, [...b, ...lost.b]);
}

const dotOf = (x: Float64Array, y: Float64Array): number => grams([x], [y])[0]![0]!;

const quantiseA = (rows: Vectors): QuantisedMatrix | null =>
  quantiseRows(fromRows(rows), rows.length, rows[0]?.length ?? 0);

const quantiseB = (columns: Vectors): QuantisedMatrix | null =>
  quantiseRows(fromColumns(columns), columns[0]?.length ?? 0, columns.length);

const rowsOfQuantised = (matrix: QuantisedMatrix): Vectors => thinProduct([], dequantiseRows(matrix), matrix.rows).a;

export const productOfQuantised = ({ b, a }: QuantisedPair): ThinProduct =>
  thinProduct(dequantiseRows(b), dequantiseRows(a), a.rows);

/** What was meant and not sent, in the scaling of the round that it is fed back in. */
export function lostProduct(meant: ThinProduct, sent: ThinProduct, factor: number): ThinProduct {
  const times = (vectors: Vectors, by: number): Vectors => vectors.map((vector) => vector.map((value) => by * value));
  return { b: [...times(meant.b, factor), ...times(sent.b, -factor)], a: [...meant.a, ...sent.a] };
}

function withError(trained: ThinProduct, meant: ThinProduct, sent: QuantisedPair): QuantisedProduct {
  const product = productOfQuantised(sent);
  const energy = innerProduct(trained, trained);
  const errorEnergy = energy - 2 * innerProduct(trained, product) + innerProduct(product, product);
  return { sent, meant, errorEnergy: Math.max(0, errorEnergy), energy };
}
