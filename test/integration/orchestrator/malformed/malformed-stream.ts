import type { RefusalReason } from '@flexlora/core';
import { between, type Draw, drawBytes, oneOf } from './draw.ts';
import { badId } from './malformed-declaration.ts';
import {
  chunkMessage,
  chunksOf,
  declarationOf,
  type Maker,
  type MalformedUpload,
  type Place,
  type Sending,
  startMessage,
  type Target,
} from './malformed-upload.ts';
import { drawTensors, validFile } from './tensor-file.ts';
import { numberField, varint } from './wire.ts';

const CHUNK_BYTES_MAX = 1 << 20;
const TURNS_MAX = 4;

type Chunk = ReturnType<typeof chunksOf>[number];

/** The messages of a right stream of a right file, to be spoilt. */
interface Right {
  readonly place: Place;
  readonly file: Buffer;
  readonly chunks: readonly Chunk[];
}

type Variant = (
  draw: Draw,
  right: Right,
) => Partial<Sending> & {
  readonly reasons: readonly RefusalReason[];
  readonly says?: RegExp;
  /** One stream of these messages, where `streams` is not given. */
  readonly messages?: (uploadId: string) => readonly Buffer[];
};

const started =
  ({ place }: Right, chunks: readonly Buffer[]) =>
  (uploadId: string): readonly Buffer[] => [startMessage(place, uploadId), ...chunks];

const encoded = (chunks: readonly Chunk[]): Buffer[] => chunks.map(({ offset, data }) => chunkMessage(offset, data));

/** Spoils one chunk of the stream. */
const spoilt =
  (says: RegExp, spoil: (draw: Draw, chunk: Chunk, right: Right) => Chunk): Variant =>
  (draw, right) => {
    const at = between(draw, 0, right.chunks.length - 1);
    const chunks = right.chunks.with(at, spoil(draw, right.chunks[at]!, right));
    return { messages: started(right, encoded(chunks)), reasons: ['badNumber'], says };
  };

const elsewhere = spoilt(/^chunk\.offset is \d+; allowed: \d+/, (draw, chunk, { file }) => {
  const end = file.byteLength;
  const offsets = [
    0,
    end,
    chunk.offset + 1,
    chunk.offset - 1,
    between(draw, 0, end),
    between(draw, end, 2 ** 50),
    2 ** 53 - 1,
  ];
  return {
    ...chunk,
    offset: oneOf(
      draw,
      offsets.filter((offset) => offset >= 0 && offset !== chunk.offset),
    ),
  };
});

/** A message with neither start nor chunk, as it is or with a field of a later protocol. */
const bodiless = (draw: Draw): Buffer => oneOf(draw, [Buffer.alloc(0), numberField(between(draw, 3, 500), 7n)]);

const START_FIELD = 1;
const OFFSET_FIELD = 5;

/** A start whose offset no double holds. */
function startPastNumbers(draw: Draw, place: Place, uploadId: string): Buffer {
  const right = startMessage(place, uploadId);
  // The start is the only field of its message, and its length has two bytes or more; what is added to it makes another length.
  const inner = right.subarray(1 + varint(BigInt(right.byteLength - 3)).byteLength);
  const more = numberField(OFFSET_FIELD, 2n ** BigInt(between(draw, 53, 63)));
  const length = varint(BigInt(inner.byteLength + more.byteLength));
  return Buffer.concat([Buffer.of((START_FIELD << 3) | 2), length, inner, more]);
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  'nothing at all': () => ({ messages: () => [], reasons: ['badNumber'], says: /first message .* is not start/ }),
  'no start': (_draw, { chunks }) => ({
    messages: () => encoded(chunks),
    reasons: ['badNumber'],
    says: /first message .* is not start/,
  }),
  'a first message without a body': (draw, { place, chunks }) => ({
    messages: (uploadId) => [bodiless(draw), startMessage(place, uploadId), ...encoded(chunks)],
    reasons: ['badNumber'],
    says: /first message .* is not start/,
  }),
  'start that is not first': (draw, { place, chunks }) => ({
    messages: (uploadId) =>
      encoded(chunks).toSpliced(between(draw, 1, chunks.length), 0, startMessage(place, uploadId)),
    reasons: ['badNumber'],
    says: /first message .* is not start/,
  }),
  'start twice': (draw, right) => ({
    messages: (uploadId) =>
      started(
        right,
        encoded(right.chunks),
      )(uploadId).toSpliced(between(draw, 1, right.chunks.length), 0, startMessage(right.place, uploadId)),
    reasons: ['badNumber'],
    says: /is not a chunk/,
  }),
  'a message without a body': (draw, right) => ({
    messages: started(
      right,
      encoded(right.chunks).toSpliced(between(draw, 0, right.chunks.length - 1), 0, bodiless(draw)),
    ),
    reasons: ['badNumber'],
    says: /is not a chunk/,
  }),
  'a start of another place': (draw, { place, chunks }) => {
    const [change, reasons] = oneOf<readonly [Partial<Place>, readonly RefusalReason[]]>(draw, [
      [{ runId: badId(draw) }, ['badId']],
      [{ runId: 'nowhere' }, ['unknownRun']],
      [{ agentId: badId(draw) }, ['badId']],
      [{ agentId: 'nobody' }, ['unknownAgent']],
      [{ round: oneOf(draw, [0, 2, 9_999_999, 2 ** 32 - 1]) }, ['unknownRound', 'late', 'notAssigned']],
    ]);
    return {
      messages: (uploadId) => [startMessage({ ...place, ...change }, uploadId), ...encoded(chunks)],
      reasons,
    };
  },
  'a start past what is durable': (draw, { place, file, chunks }) => ({
    messages: (uploadId) => {
      const end = file.byteLength;
      const offset = oneOf(draw, [1, end, between(draw, 1, end), between(draw, end, 2 ** 50), 5 << 20, 2 ** 53 - 1]);
      return [startMessage(place, uploadId, offset), ...encoded(chunks)];
    },
    reasons: ['badNumber'],
    says: /^start\.offset is \d+; durable is 0; allowed/,
  }),
  'a start past all numbers': (draw, { place }) => ({
    messages: (uploadId) => [startPastNumbers(draw, place, uploadId)],
    reasons: ['badMessage'],
    says: /UploadUpdate .*allowed/,
  }),
  'a chunk elsewhere': elsewhere,
  'a chunk twice': (draw, right) => {
    const at = between(draw, 0, right.chunks.length - 1);
    const again = right.chunks[at]!;
    // Behind the last one the file is whole, and nothing is read any more.
    const chunks =
      right.chunks.length === 1
        ? [{ ...again, offset: 1 }]
        : right.chunks.toSpliced(Math.max(at, 1), 0, right.chunks[0]!);
    return { messages: started(right, encoded(chunks)), reasons: ['badNumber'], says: /^chunk\.offset is/ };
  },
  'a chunk left out': (draw, right) => {
    const chunks =
      right.chunks.length === 1
        ? [{ offset: 1, data: right.file.subarray(1) }]
        : right.chunks.toSpliced(between(draw, 0, right.chunks.length - 2), 1);
    return { messages: started(right, encoded(chunks)), reasons: ['badNumber'], says: /^chunk\.offset is/ };
  },
  'an empty chunk': spoilt(/^a chunk has 0 bytes; allowed/, (_draw, { offset }) => ({ offset, data: Buffer.alloc(0) })),
  'a chunk above the maximum': spoilt(/^a chunk has \d+ bytes; allowed: 1 to/, (draw, { offset }) => ({
    offset,
    data: Buffer.alloc(CHUNK_BYTES_MAX + between(draw, 1, CHUNK_BYTES_MAX)),
  })),
  'more bytes than declared': (draw, right) => {
    const last = right.chunks.at(-1)!;
    const data = Buffer.concat([last.data, drawBytes(draw, between(draw, 1, 100))]);
    return {
      messages: started(right, encoded([...right.chunks.slice(0, -1), { ...last, data }])),
      reasons: ['tooLarge'],
      says: /^\d+ bytes came; declared: \d+/,
    };
  },
  'fewer bytes declared than the file has': (draw, right) => {
    const bytes = between(draw, Math.ceil(right.file.byteLength * 0.8), right.file.byteLength - 1);
    return {
      declared: { ...declarationOf(right.file), bytes },
      messages: started(right, encoded(right.chunks)),
      reasons: ['tooLarge', 'badFile'],
    };
  },
  'fewer bytes than declared': (draw, right) => ({
    messages: started(right, encoded(right.chunks.slice(0, between(draw, 0, right.chunks.length - 1)))),
    reasons: ['badFile'],
    says: /^0 of \d+ bytes are durable/,
  }),
  'a file that is cut off': (draw, right) => {
    const file = right.file.subarray(0, right.file.byteLength - between(draw, 1, 40));
    const chunks = chunksOf(draw, file);
    return {
      declared: declarationOf(file),
      messages: started(right, encoded(chunks)),
      leaves: 'nothing',
      reasons: ['badFile'],
      says: /cut off|bytes is/,
    };
  },
  'a file with something behind it': (draw, right) => {
    const file = Buffer.concat([right.file, drawBytes(draw, between(draw, 1, 400))]);
    return {
      declared: declarationOf(file),
      messages: started(right, encoded(chunksOf(draw, file))),
      leaves: 'nothing',
      reasons: ['tooLarge'],
      says: /^bytes follow the last tensor/,
    };
  },
  'a call that is cut': (draw, right) => ({
    messages: started(right, encoded(right.chunks.slice(0, between(draw, 0, right.chunks.length - 1)))),
    cancelAfterTurns: between(draw, 0, TURNS_MAX),
    reasons: ['badFile'],
    says: /^0 of \d+ bytes are durable/,
  }),
};

/** Right files that are sent in the wrong way. */
export const malformedStream: Maker = (draw, target) => {
  const right = rightStream(draw, target);
  const [name, variant] = oneOf(draw, Object.entries(VARIANTS));
  const { messages = () => [], ...change } = variant(draw, right);
  const sending: MalformedUpload = {
    kind: 'sending',
    declared: declarationOf(right.file),
    streams: (uploadId) => [messages(uploadId)],
    cancelAfterTurns: null,
    leaves: 'parts',
    what: `stream: ${name}`,
    ...change,
  };
  return sending;
};

function rightStream(draw: Draw, { place, spec, ranks }: Target): Right {
  const file = validFile(drawTensors(draw, spec, ranks));
  return { place, file, chunks: chunksOf(draw, file) };
}
