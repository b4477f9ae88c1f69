import { type Refusal, refuse } from '../refusal.ts';
import { F32_MAX } from './f32-range.ts';
import { bytesOfValues, type FactorDtype, factorValues, type RawFactor } from './factor.ts';
import { createFiniteScanner } from './finite-scanner.ts';

/** The largest finite number of each type; one that rounds beyond it has no place in an update. */
const LARGEST: Readonly<Record<FactorDtype, number>> = {
  F32: F32_MAX,
  F16: 65_504,
  BF16: (2 - 2 ** -7) * 2 ** 127,
};

/**
 * A factor in another type, rounded to nearest, ties to even. One that has the type already is handed back as it is.
 *
 * @param tensor names it in a refusal.
 * @returns a refusal `notFinite` for a number that the type cannot hold: infinity is never made.
 */
export function convertFactor(factor: RawFactor, dtype: FactorDtype, tensor: string): RawFactor | Refusal {
  if (factor.dtype === dtype) return factor;
  const values = factorValues(factor);
  const bytes = roundedTo(dtype, values);
  const scanner = createFiniteScanner();
  scanner.begin(dtype);
  const index = scanner.push(bytes);
  return index === null ? { ...factor, dtype, bytes } : tooLarge(factor, dtype, tensor, values, index);
}

function roundedTo(dtype: FactorDtype, values: Float32Array): Uint8Array {
  switch (dtype) {
    case 'F32':
      return bytesOfValues(values);
    case 'F16':
      return new Uint8Array(new Float16Array(values).buffer);
    case 'BF16': {
      const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
      const halves = new Uint16Array(values.length);
      // A carry runs into the exponent, as it should.
      for (let i = 0; i < words.length; i++) halves[i] = (words[i]! + 0x7fff + ((words[i]! >>> 16) & 1)) >>> 16;
      return new Uint8Array(halves.buffer);
    }
  }
}

function tooLarge(
  { cols }: RawFactor,
  dtype: FactorDtype,
  tensor: string,
  values: Float32Array,
  index: number,
): Refusal {
  const got = `tensor ${tensor} holds ${values[index]} at index ${index} (row ${Math.floor(index / cols)}, column ${index % cols})`;
  return refuse(
    'notFinite',
    `${got}, which ${dtype} cannot hold; allowed: magnitudes up to ${LARGEST[dtype]}: train at a smaller learning rate, or create a run of update format bf16 or f32`,
  );
}
