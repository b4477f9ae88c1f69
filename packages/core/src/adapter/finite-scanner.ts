import { type FactorDtype, factorElementBytes } from './factor.ts';

/** Looks for NaN and infinity in tensors whose bytes come in pieces that may be cut anywhere. */
export interface FiniteScanner {
  /** The next piece is the first of another tensor. */
  begin(dtype: FactorDtype): void;
  /** Index of the tensor's first element that is not finite, or null. */
  push(bytes: Uint8Array): number | null;
}

/** Pieces that are not aligned to words are copied to a block of this size: small enough for the cache. */
const BLOCK_BYTES = 1 << 16;
const WORD_BYTES = 4;

/** A number is not finite exactly when all bits of its exponent are set. Of a word, which holds one or two numbers. */
interface Exponents {
  readonly mask: number;
  /** The lowest bit of each exponent: added to one whose bits are all set it carries into the sign, and nowhere else. */
  readonly lowest: number;
  readonly signs: number;
}

const EXPONENTS: Readonly<Record<FactorDtype, Exponents>> = {
  F32: { mask: 0x7f800000, lowest: 0x00800000, signs: 0x80000000 },
  F16: { mask: 0x7c007c00, lowest: 0x04000400, signs: 0x80008000 },
  BF16: { mask: 0x7f807f80, lowest: 0x00800080, signs: 0x80008000 },
};

/** Whether each number of the words is finite. Without a branch a word: some gigabytes a second. */
function allFinite(words: Uint32Array, { mask, lowest, signs }: Exponents): boolean {
  const unrolled = words.length - (words.length % 4);
  let carried = 0;
  for (let i = 0; i < unrolled; i += 4) {
    carried |=
      ((words[i]! & mask) + lowest) |
      ((words[i + 1]! & mask) + lowest) |
      ((words[i + 2]! & mask) + lowest) |
      ((words[i + 3]! & mask) + lowest);
  }
  for (let i = unrolled; i < words.length; i++) carried |= (words[i]! & mask) + lowest;
  return (carried & signs) === 0;
}

/** Reads words of the machine: little-endian, as every platform of Node is. */
export function createFiniteScanner(): FiniteScanner {
  const block = new Uint8Array(BLOCK_BYTES);
  const split = new Uint8Array(4);
  let width = 4;
  let exponents = EXPONENTS.F32;
  let splitBytes = 0;
  let elements = 0;

  /** @param bytes whole numbers, from a word's address. */
  function scanAligned(bytes: Uint8Array): number | null {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.byteLength / WORD_BYTES));
    const bad = allFinite(words, exponents) ? null : firstNotFinite(bytes);
    if (bad !== null) return bad;
    elements += words.byteLength / width;
    // One half-precision number that fills no word.
    const rest = bytes.subarray(words.byteLength);
    const last = firstNotFinite(rest);
    elements += rest.byteLength / width;
    return last;
  }

  function firstNotFinite(bytes: Uint8Array): number | null {
    const count = bytes.byteLength / width;
    const numbers =
      width === 4
        ? new Uint32Array(bytes.buffer, bytes.byteOffset, count)
        : new Uint16Array(bytes.buffer, bytes.byteOffset, count);
    const mask = width === 4 ? exponents.mask : exponents.mask & 0xffff;
    for (let i = 0; i < count; i++) if ((numbers[i]! & mask) === mask) return elements + i;
    return null;
  }

  /** @returns how many bytes completed the element that the last piece began. */
  function completeSplit(bytes: Uint8Array): number {
    const taken = Math.min(width - splitBytes, bytes.byteLength);
    split.set(bytes.subarray(0, taken), splitBytes);
    splitBytes += taken;
    return taken;
  }

  function scanWhole(bytes: Uint8Array): number | null {
    if (bytes.byteOffset % WORD_BYTES === 0) return scanAligned(bytes);
    for (let at = 0; at < bytes.byteLength; at += BLOCK_BYTES) {
      const piece = bytes.subarray(at, at + BLOCK_BYTES);
      block.set(piece);
      const bad = scanAligned(block.subarray(0, piece.byteLength));
      if (bad !== null) return bad;
    }
    return null;
  }

  return {
    begin(dtype) {
      width = factorElementBytes(dtype);
      exponents = EXPONENTS[dtype];
      splitBytes = 0;
      elements = 0;
    },

    push(bytes) {
      let rest = bytes;
      if (splitBytes > 0) {
        rest = bytes.subarray(completeSplit(bytes));
        if (splitBytes < width) return null;
        splitBytes = 0;
        const bad = scanAligned(split.subarray(0, width));
        if (bad !== null) return bad;
      }
      const whole = rest.byteLength - (rest.byteLength % width);
      const bad = scanWhole(rest.subarray(0, whole));
      if (bad !== null) return bad;
      split.set(rest.subarray(whole));
      splitBytes = rest.byteLength - whole;
      return null;
    },
  };
}
