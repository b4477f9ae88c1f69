import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { peftTensorName } from '@flexlora/core';
import { type Draw, drawBytes, oneOf } from './draw.ts';

/** One tensor as its file has it; a header is made of them, right or wrong. */
export interface Tensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Buffer;
}

/** Name and description of one tensor in a header. */
export type Entry = readonly [name: string, description: unknown];

export const FACTOR_WIDTH: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2 };

/** All ones in the exponent: NaN or infinity. */
const EXPONENT: Readonly<Record<string, number>> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 };
/** Of the last byte of a number of each dtype: without it the exponent has a zero. */
const EXPONENT_TOP = 0x40;

/** What the assignment asks for, in a dtype drawn by chance, of finite numbers. */
export function drawTensors(draw: Draw, spec: RunSpec, ranks: Readonly<Record<string, number>>): Tensor[] {
  const dtype = oneOf(draw, Object.keys(FACTOR_WIDTH));
  return spec.modules.flatMap(({ name, outFeatures, inFeatures, rankGroup }) => {
    const rank = Math.min(ranks[rankGroup] ?? 0, outFeatures, inFeatures);
    return [
      drawTensor(draw, peftTensorName(name, 'a'), dtype, [rank, inFeatures]),
      drawTensor(draw, peftTensorName(name, 'b'), dtype, [outFeatures, rank]),
    ];
  });
}

export function drawTensor(draw: Draw, name: string, dtype: string, shape: readonly number[]): Tensor {
  const width = FACTOR_WIDTH[dtype] ?? 1;
  const data = drawBytes(
    draw,
    shape.reduce((product, side) => product * side, width),
  );
  for (let at = width - 1; at < data.byteLength; at += width) data[at]! &= ~EXPONENT_TOP;
  return { name, dtype, shape, data };
}

/** Makes one number NaN or infinite, of a sign and mantissa drawn by chance. */
export function spoilNumber(draw: Draw, { dtype, data }: Tensor): void {
  const width = FACTOR_WIDTH[dtype]!;
  const at = Math.floor((draw() * data.byteLength) / width) * width;
  data.writeUIntLE((data.readUIntLE(at, width) | EXPONENT[dtype]!) >>> 0, at, width);
}

/** Each tensor's place follows from those before it. */
export function entriesOf(tensors: readonly Tensor[]): Entry[] {
  let at = 0;
  return tensors.map(({ name, dtype, shape, data }) => {
    const begin = at;
    at += data.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, at] }] as const;
  });
}

/** JSON text of a header, which may have a key twice. */
export const headerText = (entries: readonly Entry[]): string =>
  `{${entries.map(([name, description]) => `${JSON.stringify(name)}:${JSON.stringify(description)}`).join(',')}}`;

export const dataOf = (tensors: readonly Tensor[]): Buffer => Buffer.concat(tensors.map(({ data }) => data));

/** `length`: what the file says of its header, right or wrong. */
export function fileOf(header: string | Buffer, data: Buffer, length?: bigint): Buffer {
  const text = Buffer.from(header as string);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length ?? BigInt(text.byteLength));
  return Buffer.concat([start, text, data]);
}

export const validFile = (tensors: readonly Tensor[]): Buffer =>
  fileOf(headerText([['__metadata__', { format: 'pt' }], ...entriesOf(tensors)]), dataOf(tensors));

/**
 * Whether two files mean the same to every reader: a change of white space, of metadata or of a key that nobody reads is none. Written apart from
 * the parser that is tested.
 */
export function meansTheSame(one: Buffer, other: Buffer): boolean {
  const [a, b] = [meaningOf(one), meaningOf(other)];
  return a !== null && a === b;
}

function meaningOf(file: Buffer): string | null {
  const end = 8 + Number(file.readBigUInt64LE());
  try {
    const header = JSON.parse(file.toString('utf8', 8, end));
    const tensors = Object.entries<Record<string, unknown>>(header)
      .filter(([name]) => name !== '__metadata__')
      .map(([name, { dtype, shape, data_offsets: offsets }]) => JSON.stringify([name, dtype, shape, offsets]));
    return JSON.stringify([tensors.sort(), file.toString('base64', end)]);
  } catch {
    return null;
  }
}
