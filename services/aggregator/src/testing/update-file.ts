import {
  bytesOfValues,
  encodeSafetensorsHeader,
  type FactorDtype,
  factorValues,
  type ModuleSpec,
  peftTensorName,
  quantiseRows,
  type RawFactor,
  SCALES_SUFFIX,
  type TensorShape,
} from '@flexlora/core';

/** A client's factors of one module. */
export interface TestFactors {
  readonly module: ModuleSpec;
  readonly b: RawFactor;
  readonly a: RawFactor;
}

/** Numbers between −1 and 1 that depend on the seed alone (mulberry32). */
export function createNoise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function noiseFactors(module: ModuleSpec, rank: number, seed: number, dtype: FactorDtype = 'F32'): TestFactors {
  const noise = createNoise(seed);
  return {
    module,
    b: matrix(module.out, rank, dtype, noise),
    a: matrix(rank, module.in, dtype, noise),
  };
}

function matrix(rows: number, cols: number, dtype: FactorDtype, noise: () => number): RawFactor {
  const values = Float32Array.from({ length: rows * cols }, noise);
  if (dtype === 'F32') return { dtype, rows, cols, bytes: bytesOfValues(values) };
  // BF16 is the upper half of an F32.
  const words = new Uint16Array(values.length);
  for (const [i, bits] of new Uint32Array(values.buffer).entries()) words[i] = bits >>> 16;
  return { dtype: 'BF16', rows, cols, bytes: new Uint8Array(words.buffer) };
}

/** An `adapter_model.safetensors` as PEFT writes it, from any pairs of factors. */
export const encodeUpdate = (factors: readonly TestFactors[]): Uint8Array =>
  encodeTensors(
    tensorsOf(factors, (name, { dtype, rows, cols, bytes }) => [{ name, dtype, shape: [rows, cols], bytes }]),
  );

/** The same in int8. */
export const encodeQuantised = (factors: readonly TestFactors[]): Uint8Array =>
  encodeTensors(
    tensorsOf(factors, (name, factor) => {
      const { rows, cols } = factor;
      const { values, scales } = quantiseRows(factorValues(factor), rows, cols)!;
      return [
        { name, dtype: 'I8', shape: [rows, cols], bytes: new Uint8Array(values.buffer) },
        { name: name + SCALES_SUFFIX, dtype: 'F32', shape: [rows], bytes: bytesOfValues(scales) },
      ];
    }),
  );

type TestTensor = TensorShape & { readonly bytes: Uint8Array };

const tensorsOf = (
  factors: readonly TestFactors[],
  of: (name: string, factor: RawFactor) => readonly TestTensor[],
): readonly TestTensor[] =>
  factors.flatMap(({ module, b, a }) => [
    ...of(peftTensorName(module.name, 'b'), b),
    ...of(peftTensorName(module.name, 'a'), a),
  ]);

function encodeTensors(tensors: readonly TestTensor[]): Uint8Array {
  const { header, bytes } = encodeSafetensorsHeader(tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })));
  const file = new Uint8Array(header.fileBytes);
  file.set(bytes);
  for (const { name, begin } of header.tensors) file.set(tensors.find((tensor) => tensor.name === name)!.bytes, begin);
  return file;
}
