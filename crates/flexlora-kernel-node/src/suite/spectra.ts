import { createDraw, type SampleTerm, sampleFactor, termOf } from './samples.ts';

/** A sum of known singular values: `W = Σ_j spectrum_j x_j y_jᵀ` with bases that are orthonormal. */
export interface SpectralSum {
  readonly out: number;
  readonly in: number;
  /** Any order; at most min(out, in) of them. */
  readonly spectrum: readonly number[];
  /** The values go to the terms in turn. */
  readonly terms: number;
}

/** The terms' factors are rounded to float32, which moves the values by about 1e-8 of the largest. */
export function spectralTerms({ out, in: cols, spectrum, terms }: SpectralSum): readonly SampleTerm[] {
  const x = spectrum.map((_, j) => basisVector(out, j));
  const y = spectrum.map((_, j) => basisVector(cols, j));
  return Array.from({ length: terms }, (_, k) => {
    const own = Array.from(spectrum.keys()).filter((j) => j % terms === k);
    const coefficient = (k + 1) / 4;
    const b = sampleFactor('F32', out, own.length, (at) => {
      const j = own[at % own.length]!;
      return (spectrum[j]! / coefficient) * x[j]![Math.floor(at / own.length)]!;
    });
    const a = sampleFactor('F32', own.length, cols, (at) => y[own[Math.floor(at / cols)]!]![at % cols]!);
    return termOf(`agent-${k}`, coefficient, b, a);
  });
}

/** Vector j of the cosine basis (DCT-II) of a length, reflected by a random vector, so that no two entries are alike. */
function basisVector(length: number, j: number): Float64Array {
  const scale = Math.sqrt((j === 0 ? 1 : 2) / length);
  const vector = Float64Array.from({ length }, (_, i) => scale * Math.cos((Math.PI * (i + 0.5) * j) / length));
  const mirror = Float64Array.from({ length }, createDraw(length));
  const inner = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const factor = (2 * inner(mirror, vector)) / inner(mirror, mirror);
  return vector.map((value, i) => value - factor * mirror[i]!);
}

const along = (count: number, value: (j: number) => number): readonly number[] =>
  Array.from({ length: count }, (_, j) => value(j));

/** What a basis of a few blocks finds easy and hard, each of a name and `count` values. */
export function spectraOf(count: number): Readonly<Record<string, readonly number[]>> {
  return {
    'a steep decay': along(count, (j) => 10 ** (-j / 4)),
    'a moderate decay': along(count, (j) => 0.95 ** j),
    'a slow decay': along(count, (j) => 1 / (1 + j)),
    'a flat spectrum': along(count, (j) => 2 - j / count),
    'one value, repeated': along(count, () => 1),
    'repeated values and a tail': along(count, (j) => (j < 9 ? 8 : j < 30 ? 4 : 0.01)),
    'one large value before a flat tail': along(count, (j) => (j === 0 ? 1000 : 1)),
  };
}
