import type { Heap } from './heap.ts';
import { leadingOf } from './heap.ts';
import { exponentOf, timesPowerOfTwo } from './scale.ts';
import type { Address } from './wasm.ts';

/** A coupling below this share of the largest entry is rounding: eigenvalues are exact to that, absolutely. */
const NEGLIGIBLE = 2 ** -52;

/** Two or three are usual for each value; the limit is LAPACK's. */
const TURNS_MAX = 30;

/** The eigenvalues of a symmetric matrix (row-major, `order × order`, float64; the lower triangle is read), descending. */
export function eigenvaluesOf(heap: Heap, matrix: Float64Array, order: number): Float64Array {
  const exponent = exponentOf(largestOf(matrix));
  return heap.scoped(() => {
    const { diagonal, beside } = tridiagonalize(heap, matrix, order, exponent);
    implicitQl(diagonal, beside, () => {});
    return diagonal.map((value) => timesPowerOfTwo(value, exponent)).sort((a, b) => b - a);
  });
}

export interface Eigen {
  /** Descending. */
  readonly values: Float64Array;
  /** Vector j belongs to value j; orthonormal. */
  readonly vectors: readonly Float64Array[];
}

/** The same with vectors, those of the largest `count` values. */
export function eigenOf(heap: Heap, matrix: Float64Array, order: number, count = order): Eigen {
  const exponent = exponentOf(largestOf(matrix));
  return heap.scoped(() => {
    const { diagonal, beside, reflectors, at, ld } = tridiagonalize(heap, matrix, order, exponent);
    const vectors = transposedQ(heap, reflectors, at, order, ld);
    const turns = heap.allocateDoubles(2 * order);
    implicitQl(diagonal, beside, (last, pairs) => {
      heap.doubles(turns, pairs.length).set(pairs);
      heap.rotateRows(vectors, turns, last, pairs.length / 2, order, ld);
    });
    const rows = heap.doubles(vectors, order * ld);
    const byValue = Array.from(diagonal.keys()).sort((p, q) => diagonal[q]! - diagonal[p]! || p - q);
    return {
      values: Float64Array.from(byValue, (j) => timesPowerOfTwo(diagonal[j]!, exponent)),
      vectors: byValue.slice(0, count).map((j) => rows.slice(j * ld, j * ld + order)),
    };
  });
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Entry i couples i − 1 and i; entry 0 is not used. */
  readonly beside: Float64Array;
  /** Scale of reflector i, `I − scale·v·vᵀ`; v lies in row i, its first i values. */
  readonly reflectors: Float64Array;
  readonly at: Address;
  readonly ld: number;
}

/** At a scale near one: `2^-exponent` times the matrix. Householder, from the last row up (Golub and Van Loan, 4th ed., algorithm 8.3.1, mirrored so that every v is part of a row). */
function tridiagonalize(heap: Heap, matrix: Float64Array, order: number, exponent: number): Tridiagonal {
  const ld = leadingOf(order);
  const at = heap.allocateDoubles(order * ld);
  const image = heap.allocateDoubles(ld);
  const diagonal = new Float64Array(order);
  const beside = new Float64Array(order);
  const reflectors = new Float64Array(order);
  const s = heap.doubles(at, order * ld);
  for (let i = 0; i < order; i += 1) {
    for (let j = 0; j <= i; j += 1) s[i * ld + j] = timesPowerOfTwo(matrix[i * order + j]!, -exponent);
  }
  for (let i = order - 1; i > 0; i -= 1) {
    diagonal[i] = s[i * ld + i]!;
    // Behind v the row is zero, so that an odd length can be read as an even one.
    s[i * ld + i] = 0;
    const v = s.subarray(i * ld, i * ld + i);
    const reflector = reflectorOf(v);
    beside[i] = reflector.left;
    reflectors[i] = reflector.scale;
    if (reflector.scale === 0) continue;
    heap.symmetricTimes(image, at, at + i * ld * 8, i, ld);
    const w = heap.doubles(image, i);
    let along = 0;
    for (let j = 0; j < i; j += 1) along += w[j]! * v[j]!;
    const half = (reflector.scale * reflector.scale * along) / 2;
    for (let j = 0; j < i; j += 1) w[j] = reflector.scale * w[j]! - half * v[j]!;
    heap.symmetricUpdate(at, at + i * ld * 8, image, i, ld);
  }
  diagonal[0] = s[0]!;
  return { diagonal, beside, reflectors, at, ld };
}

/** Makes of x the v that reflects x to its last entry. Where x has nothing else but rounding, there is nothing to reflect. */
function reflectorOf(x: Float64Array): { readonly scale: number; readonly left: number } {
  const last = x.length - 1;
  const head = x[last]!;
  let others = 0;
  for (let j = 0; j < last; j += 1) others += x[j]! * x[j]!;
  if (others <= NEGLIGIBLE ** 2) return { scale: 0, left: head };
  const norm = Math.sqrt(others + head * head);
  const left = head > 0 ? -norm : norm;
  x[last] = head - left;
  return { scale: 1 / (norm * (norm + Math.abs(head))), left };
}

/** Rows: the transpose of the product of all reflectors. Reflector i touches the first i values, of rows that are so far the identity from i on. */
function transposedQ(heap: Heap, reflectors: Float64Array, v: Address, order: number, ld: number): Address {
  const at = heap.allocateDoubles(order * ld);
  const q = heap.doubles(at, order * ld);
  for (let i = 0; i < order; i += 1) q[i * ld + i] = 1;
  for (let i = 1; i < order; i += 1) {
    if (reflectors[i] !== 0) heap.reflectRows(at, v + i * ld * 8, i, (i + 1) & ~1, ld, reflectors[i]!);
  }
  return at;
}

/**
 * Implicit QL with Wilkinson's shift (Golub and Van Loan, section 8.3; EISPACK's tql2). Leaves the eigenvalues in `diagonal`; `turn` is told every sweep: its
 * first row and pairs (c, s) as `rotateRows` takes them.
 */
function implicitQl(
  diagonal: Float64Array,
  beside: Float64Array,
  turn: (last: number, pairs: Float64Array) => void,
): void {
  const order = diagonal.length;
  const e = Float64Array.from({ length: order }, (_, i) => beside[i + 1] ?? 0);
  const pairs = new Float64Array(2 * order);
  for (let first = 0; first < order; first += 1) {
    for (let round = 0; ; round += 1) {
      let last = first;
      while (last < order - 1 && Math.abs(e[last]!) > NEGLIGIBLE) last += 1;
      if (last === first) break;
      if (round === TURNS_MAX) throw new Error(`the eigenvalues of an order of ${order} did not converge`);
      const count = sweep(diagonal, e, first, last, pairs);
      turn(last, pairs.subarray(0, 2 * count));
    }
  }
}

function largestOf(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** One sweep from `last` to `first`; returns how many rows it turned. */
function sweep(d: Float64Array, e: Float64Array, first: number, last: number, pairs: Float64Array): number {
  const step = (d[first + 1]! - d[first]!) / (2 * e[first]!);
  const root = Math.hypot(step, 1);
  let g = d[last]! - d[first]! + e[first]! / (step + (step < 0 ? -root : root));
  let [s, c, shift] = [1, 1, 0];
  for (let i = last - 1; i >= first; i -= 1) {
    const f = s * e[i]!;
    const b = c * e[i]!;
    const length = Math.hypot(f, g);
    e[i + 1] = length;
    if (length === 0) {
      // The matrix falls apart here: the next sweep begins at the split.
      d[i + 1]! -= shift;
      e[last] = 0;
      return last - 1 - i;
    }
    s = f / length;
    c = g / length;
    g = d[i + 1]! - shift;
    const t = (d[i]! - g) * s + 2 * c * b;
    shift = s * t;
    d[i + 1] = g + shift;
    g = c * t - b;
    pairs[2 * (last - 1 - i)] = c;
    pairs[2 * (last - 1 - i) + 1] = s;
  }
  d[first]! -= shift;
  e[first] = g;
  e[last] = 0;
  return last - first;
}
