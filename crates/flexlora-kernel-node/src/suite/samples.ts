import type { Factor, FactorDtype, KernelTerm, TruncateRequest } from '../kernel.ts';

/** A seeded stream of numbers in [-1, 1): mulberry32, deliberately not the generator of the kernels. */
export type Draw = () => number;

export function createDraw(seed: number): Draw {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** A factor together with the numbers that its bytes stand for. */
export interface SampleFactor {
  readonly factor: Factor;
  readonly values: Float64Array;
}

/** A term whose numbers the oracle can read without decoding bytes. */
export interface SampleTerm extends KernelTerm {
  readonly bValues: Float64Array;
  readonly aValues: Float64Array;
}

export function sampleFactor(
  dtype: FactorDtype,
  rows: number,
  cols: number,
  valueAt: (index: number) => number,
): SampleFactor {
  const values = new Float64Array(rows * cols);
  const bytes = new Uint8Array(values.length * (dtype === 'F32' ? 4 : 2));
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < values.length; index += 1) {
    values[index] = write(view, dtype, index, valueAt(index));
  }
  return { factor: { dtype, rows, cols, bytes }, values };
}

/** Writes the value nearest by truncation and returns what was written, from the definition of the type. */
function write(view: DataView, dtype: FactorDtype, index: number, value: number): number {
  const single = Math.fround(value);
  switch (dtype) {
    case 'F32':
      view.setFloat32(index * 4, single, true);
      return single;
    case 'BF16': {
      const bits = float32Bits(single) >>> 16;
      view.setUint16(index * 2, bits, true);
      return signOf(bits) * magnitude((bits >> 7) & 0xff, bits & 0x7f, 7, 127);
    }
    case 'F16': {
      const bits = halfBits(single);
      view.setUint16(index * 2, bits, true);
      return signOf(bits) * magnitude((bits >> 10) & 0x1f, bits & 0x3ff, 10, 15);
    }
  }
}

function signOf(bits: number): 1 | -1 {
  return bits & 0x8000 ? -1 : 1;
}

function magnitude(exponent: number, fraction: number, fractionBits: number, bias: number): number {
  const unit = 2 ** -fractionBits;
  return exponent === 0 ? fraction * unit * 2 ** (1 - bias) : (1 + fraction * unit) * 2 ** (exponent - bias);
}

function halfBits(value: number): number {
  const bits = float32Bits(value);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  if (exponent <= 0) return sign | Math.trunc(Math.abs(value) * 2 ** 24);
  return sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

function float32Bits(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0);
}

export interface TermShape {
  readonly out: number;
  readonly in: number;
  readonly rank: number;
  readonly coefficient: number;
  readonly dtype?: FactorDtype;
  readonly label?: string;
}

export function sampleTerm(draw: Draw, shape: TermShape): SampleTerm {
  const dtype = shape.dtype ?? 'F32';
  const b = sampleFactor(dtype, shape.out, shape.rank, draw);
  const a = sampleFactor(dtype, shape.rank, shape.in, draw);
  return termOf(shape.label ?? 'agent-1', shape.coefficient, b, a);
}

export function termOf(label: string, coefficient: number, b: SampleFactor, a: SampleFactor): SampleTerm {
  return { label, coefficient, b: b.factor, a: a.factor, bValues: b.values, aValues: a.values };
}

export interface SampleRequest extends TruncateRequest {
  readonly terms: readonly SampleTerm[];
}

/** For the method in float64 that takes the ranks of these terms, if there are any: what a planner would take is its own business. */
export function requestOf(out: number, cols: number, rank: number, terms: readonly SampleTerm[]): SampleRequest {
  const rankSum = terms.reduce((sum, { a }) => sum + a.rows, 0);
  const method = rankSum < Math.min(out, cols) ? 'stacked' : 'dense';
  const request = { module: 'layers.0.self_attn.q_proj', out, in: cols, rank, terms, completionSeed: 20_261_122 };
  return terms.length === 0 ? request : { ...request, method };
}
