import type { RefusalReason } from '@flexlora/core';
import { between, type Draw, drawBytes, oneOf } from './draw.ts';
import { declarationOf, type Maker, sendingFile } from './malformed-upload.ts';
import { drawTensors, meansTheSame, spoilNumber, validFile } from './tensor-file.ts';

/** Every reason that is about what a file holds. */
export const FILE_REASONS: readonly RefusalReason[] = [
  'badFile',
  'badTensor',
  'badModule',
  'badDigest',
  'notFinite',
  'rankOutOfRange',
  'tooLarge',
];

const NUMBERS_MAX = 3;
const CHANGES_MAX = 8;

export const notFinite: Maker = (draw, target) => {
  const tensors = drawTensors(draw, target.spec, target.ranks);
  for (let left = between(draw, 1, NUMBERS_MAX); left > 0; left -= 1) spoilNumber(draw, oneOf(draw, tensors));
  return {
    ...sendingFile(draw, target, validFile(tensors)),
    what: `numbers: NaN or infinity in ${tensors[0]!.dtype}`,
    reasons: ['notFinite'],
    says: /tensor base_model\.\S+ holds NaN or infinity at index \d+/,
  };
};

/** The digest is of what the file was before its bits turned. */
export const flippedBits: Maker = (draw, target) => {
  const right = validFile(drawTensors(draw, target.spec, target.ranks));
  const file = Buffer.from(right);
  const dataAt = 8 + Number(right.readBigUInt64LE());
  const from = oneOf(draw, [0, dataAt]);
  do flipBit(draw, file, from);
  while (draw() < 0.5 || file.equals(right));
  const declared = declarationOf(right);
  return {
    ...sendingFile(draw, target, file, declared),
    what: `bits: turned from byte ${from}`,
    reasons: from === 0 ? FILE_REASONS : ['badDigest', 'notFinite'],
  };
};

function flipBit(draw: Draw, bytes: Buffer, from: number): void {
  const at = between(draw, from, bytes.byteLength - 1);
  bytes[at]! ^= 1 << Math.floor(draw() * 8);
}

export const randomBytes: Maker = (draw, target) => {
  const least = validFile(drawTensors(draw, target.spec, target.ranks)).byteLength;
  const file = drawBytes(draw, between(draw, 1, 4 * least));
  return { ...sendingFile(draw, target, file), what: 'bytes: at random', reasons: ['badFile'] };
};

/** A right file whose header, with its length, was changed somewhere. The digest is of the changed file. */
export const mutatedHeader: Maker = (draw, target) => {
  const right = validFile(drawTensors(draw, target.spec, target.ranks));
  const dataAt = 8 + Number(right.readBigUInt64LE());
  const header = mutate(draw, right.subarray(0, dataAt));
  // Half of them say how long the header has become, so that its text is read.
  if (draw() < 0.5 && header.byteLength >= 8) header.writeBigUInt64LE(BigInt(header.byteLength - 8));
  const file = Buffer.concat([header, right.subarray(dataAt)]);
  // Some changes mean nothing, as one of a space in the metadata: they are refused by the digest of the right file.
  const isHarmless = file.byteLength >= 8 && meansTheSame(file, right);
  const declared = isHarmless ? { ...declarationOf(right), bytes: file.byteLength } : declarationOf(file);
  if (isHarmless && file.equals(right)) file[file.byteLength - 1]! ^= 1;
  return { ...sendingFile(draw, target, file, declared), what: 'header: mutated', reasons: FILE_REASONS };
};

function mutate(draw: Draw, right: Buffer): Buffer {
  let bytes = Buffer.from(right);
  for (let left = between(draw, 1, CHANGES_MAX); left > 0 && bytes.byteLength > 0; left -= 1) {
    const at = between(draw, 0, bytes.byteLength - 1);
    const count = between(draw, 1, 12);
    switch (oneOf(draw, ['flip', 'insert', 'delete', 'splice', 'digit'] as const)) {
      case 'flip':
        flipBit(draw, bytes, 0);
        break;
      case 'insert':
        bytes = Buffer.concat([bytes.subarray(0, at), drawBytes(draw, count), bytes.subarray(at)]);
        break;
      case 'delete':
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
        break;
      case 'splice': {
        const from = between(draw, 0, right.byteLength - 1);
        bytes = Buffer.concat([bytes.subarray(0, at), right.subarray(from, from + count), bytes.subarray(at + count)]);
        break;
      }
      case 'digit': {
        // The text stays JSON, so that what it says is looked at.
        const digit = bytes.findIndex((byte, index) => index >= at && byte >= 0x30 && byte <= 0x39);
        if (digit >= 0) bytes[digit] = 0x30 + Math.floor(draw() * 10);
        break;
      }
    }
  }
  return bytes;
}
