import { SCALE_MAX } from '../quantisation/quantise-rows.ts';

/** Looks for what is no scale in F32 bytes that come in pieces that may be cut anywhere. */
export interface ScaleScanner {
  /** Index of the first number that is not finite, below 0 or above `SCALE_MAX`; or null. */
  push(bytes: Uint8Array): number | null;
}

/** Numbers from 0 on are in the order of their bits. */
const BITS_MAX = new Uint32Array(Float32Array.of(SCALE_MAX).buffer)[0]!;
const BITS_OF_MINUS_ZERO = 0x80000000;

/** There is one scale a row: few enough to go byte by byte. */
export function createScaleScanner(): ScaleScanner {
  let bits = 0;
  let bytesTaken = 0;
  return {
    push(bytes) {
      for (const byte of bytes) {
        bits = ((bits >>> 8) | (byte << 24)) >>> 0;
        bytesTaken += 1;
        const isWhole = bytesTaken % 4 === 0;
        if (isWhole && bits > BITS_MAX && bits !== BITS_OF_MINUS_ZERO) return bytesTaken / 4 - 1;
      }
      return null;
    },
  };
}
