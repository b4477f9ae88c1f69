import type { RefusalReason } from '@flexlora/core';
import { between, type Draw, oneOf } from './draw.ts';
import {
  chunkMessage,
  declarationOf,
  type Maker,
  type Sending,
  startMessage,
  streamOf,
  type Target,
} from './malformed-upload.ts';
import { drawTensors, validFile } from './tensor-file.ts';

/** As OpenUpload tells it. */
const PART_BYTES = 5 << 20;

type Variant = (
  draw: Draw,
  file: Buffer,
  target: Target,
) => Partial<Sending> & { readonly reasons: readonly RefusalReason[]; readonly says?: RegExp };

/** The first part, after which the stream ends. */
const firstPart = (draw: Draw, { place }: Target, file: Buffer) => streamOf(draw, place, file.subarray(0, PART_BYTES));

/** The second part with something wrong in it goes past the check of what streams by: a stream that goes on knows nothing of the header. */
const spoiltLater =
  (reasons: readonly RefusalReason[], spoil: (draw: Draw, file: Buffer) => void): Variant =>
  (draw, file, target) => {
    const other = Buffer.from(file);
    spoil(draw, other);
    const [first, rest] = [firstPart(draw, target, file), streamOf(draw, target.place, other, PART_BYTES)];
    return { streams: (uploadId) => [first(uploadId), rest(uploadId)], leaves: 'nothing', reasons };
  };

const VARIANTS: Readonly<Record<string, Variant>> = {
  'NaN in the second part': spoiltLater(['notFinite'], (draw, file) => {
    const at = (file.byteLength - 4 * between(draw, 1, 1_000)) & ~3;
    // In the last kilobytes, at whichever address the numbers lie.
    file.fill(0xff, at - 4, at + 3);
  }),
  'bits turned in the second part': spoiltLater(['badDigest', 'notFinite'], (draw, file) => {
    file[between(draw, PART_BYTES, file.byteLength - 1)]! ^= 1 << Math.floor(draw() * 8);
  }),
  'a first part that was replaced': (draw, file, target) => {
    const other = Buffer.from(file);
    other[between(draw, PART_BYTES >> 1, PART_BYTES - 1)]! ^= 1;
    const [first, second] = [firstPart(draw, target, file), firstPart(draw, target, other)];
    const rest = streamOf(draw, target.place, file, PART_BYTES);
    return {
      streams: (uploadId) => [first(uploadId), second(uploadId), rest(uploadId)],
      leaves: 'nothing',
      reasons: ['badDigest', 'notFinite'],
    };
  },
  'a start that is not a part boundary': (draw, file, target) => {
    const first = firstPart(draw, target, file);
    const offset = oneOf(draw, [PART_BYTES - 1, PART_BYTES + 1, between(draw, 1, PART_BYTES - 1), file.byteLength]);
    return {
      streams: (uploadId) => [first(uploadId), [startMessage(target.place, uploadId, offset)]],
      reasons: ['badNumber'],
      says: /^start\.offset is \d+; durable is 5242880; allowed/,
    };
  },
  'a second part elsewhere': (draw, file, target) => {
    const first = firstPart(draw, target, file);
    const offset = oneOf(draw, [0, PART_BYTES - 1, PART_BYTES + 1, file.byteLength]);
    const chunk = chunkMessage(offset, file.subarray(PART_BYTES, PART_BYTES + 1_000));
    return {
      streams: (uploadId) => [first(uploadId), [startMessage(target.place, uploadId, PART_BYTES), chunk]],
      reasons: ['badNumber'],
      says: /^chunk\.offset is \d+; allowed: 5242880/,
    };
  },
  'more bytes than declared in the second part': (draw, file, target) => {
    const longer = Buffer.concat([file, Buffer.alloc(between(draw, 1, 1_000))]);
    const chunk = chunkMessage(PART_BYTES, longer.subarray(PART_BYTES, PART_BYTES + 1_000));
    const [first, rest] = [firstPart(draw, target, file), streamOf(draw, target.place, longer, PART_BYTES)];
    // The bytes that are too many are in a chunk with some that are not.
    const fits = file.byteLength - PART_BYTES;
    return {
      streams: (uploadId) => [
        first(uploadId),
        fits > 1_000 ? rest(uploadId) : [startMessage(target.place, uploadId, PART_BYTES), chunk],
      ],
      reasons: ['tooLarge'],
      says: /^\d+ bytes came; declared: \d+/,
    };
  },
  'a call that is cut in the second part': (draw, file, target) => {
    const stream = streamOf(draw, target.place, file.subarray(0, file.byteLength - between(draw, 1, 100_000)));
    return {
      streams: (uploadId) => [stream(uploadId)],
      cancelAfterTurns: between(draw, 0, 200),
      reasons: ['badFile'],
      says: /^(0|5242880) of \d+ bytes are durable/,
    };
  },
};

/** Right files of two parts, whose parts come in the wrong way. They are long: the target's file is made once. */
export const malformedParts: Maker = (draw, target) => {
  const file = fileFor(target);
  const [name, variant] = oneOf(draw, Object.entries(VARIANTS));
  return {
    kind: 'sending',
    declared: declarationOf(file),
    streams: () => [],
    cancelAfterTurns: null,
    leaves: 'parts',
    what: `parts: ${name}`,
    ...variant(draw, file, target),
  };
};

const files = new WeakMap<Target, Buffer>();

function fileFor(target: Target): Buffer {
  const file = files.get(target) ?? validFile(drawTensors(() => 0, target.spec, target.ranks));
  files.set(target, file);
  return file;
}
