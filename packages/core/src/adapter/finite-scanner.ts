import { type FactorDtype, factorElementBytes } from './factor.ts';

/** Looks for NaN and infinity in tensors whose bytes come in pieces that may be cut anywhere. */
export interface FiniteScanner {
  /** The next piece is the first of another tensor. */
  begin(dtype: FactorDtype): void;
  /** Index of the tensor's first element that is not finite, or null. */
  push(bytes: Uint8Array): number | null;
}

/** Pieces at an odd address are copied to an aligned block of this size: small enough for the cache. */
const BLOCK_BYTES = 1 << 16;

/** A number is not finite exactly when all bits of its exponent are set. */
const EXPONENT_BITS: Readonly<Record<FactorDtype, number>> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 };

/** Reads words of the machine: little-endian, as every platform of Node is. */
export function createFiniteScanner(): FiniteScanner {
  const block = new Uint8Array(BLOCK_BYTES);
  const split = new Uint8Array(4);
  let width = 4;
  let mask = EXPONENT_BITS.F32;
  let splitBytes = 0;
  let elements = 0;

  function scanAligned(bytes: Uint8Array): number | null {
    const count = bytes.byteLength / width;
    const words =
      width === 4
        ? new Uint32Array(bytes.buffer, bytes.byteOffset, count)
        : new Uint16Array(bytes.buffer, bytes.byteOffset, count);
    for (let i = 0; i < count; i++) if ((words[i]! & mask) === mask) return elements + i;
    elements += count;
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
    if (bytes.byteOffset % width === 0) return scanAligned(bytes);
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
      mask = EXPONENT_BITS[dtype];
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
