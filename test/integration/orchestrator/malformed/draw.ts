export { between, oneOf } from '../../../chaos/plan/seeded-random.ts';

import { createSeededRandom } from '../../../chaos/plan/seeded-random.ts';

/** Uniform in [0, 1). */
export type Draw = () => number;

/** Each upload has its own numbers, so that one of them is repeated without those before it. */
export const drawFor = (seed: number, index: number): Draw =>
  createSeededRandom(seed ^ Math.imul(index + 1, 0x9e3779b1));

export const happens = (draw: Draw, share: number): boolean => draw() < share;

export function drawBytes(draw: Draw, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count; at += 1) bytes[at] = draw() * 256;
  return bytes;
}

/** A whole number in [0, 2⁶⁴), of a length in bits drawn first, so that small and large ones are as likely. */
export function drawUint64(draw: Draw): bigint {
  const bits = Math.floor(draw() * 65);
  return BigInt.asUintN(bits, drawBytes(draw, 8).readBigUInt64LE());
}
