import {
  AbortUploadRequest,
  CommitUploadRequest,
  GetUploadRequest,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import type { RefusalReason } from '@flexlora/core';
import { between, type Draw, drawBytes, drawUint64, oneOf } from './draw.ts';
import { badId } from './malformed-declaration.ts';
import {
  declarationOf,
  type Maker,
  METHODS,
  type Method,
  type Place,
  startMessage,
  streamOf,
  type Target,
} from './malformed-upload.ts';
import { drawTensors, validFile } from './tensor-file.ts';

type Garble = (draw: Draw, uploadId: string) => string;

const CODECS = { getUpload: GetUploadRequest, commitUpload: CommitUploadRequest, abortUpload: AbortUploadRequest };

/** The fields of an id: attempt, token, bytes, digest, samples, loss. */
const fieldsOf = (uploadId: string): unknown[] => JSON.parse(Buffer.from(uploadId, 'base64url').toString());
const idOf = (fields: unknown): string => Buffer.from(JSON.stringify(fields)).toString('base64url');
const withField =
  (at: number, value: (draw: Draw, right: never) => unknown): Garble =>
  (draw, uploadId) => {
    const fields = fieldsOf(uploadId);
    return idOf(fields.with(at, value(draw, fields[at] as never)));
  };

const hex = (draw: Draw, bytes: number): string => drawBytes(draw, bytes).toString('hex');
const oddValue = (draw: Draw): unknown =>
  oneOf(draw, [null, -1, 0, 0.5, 1e300, '', {}, [], true, 'x'.repeat(1_100), '../x']);

/** No such id is one that OpenUpload gave. */
const NOT_AN_ID: Readonly<Record<string, Garble>> = {
  empty: () => '',
  'cut off': (draw, id) => id.slice(0, between(draw, 1, id.length - 12)),
  'of random bytes': (draw) => drawBytes(draw, between(draw, 1, 400)).toString('base64url'),
  'of random text': (draw) => String.fromCharCode(...drawBytes(draw, between(draw, 1, 400))),
  'with a prefix': (draw, id) => hex(draw, between(draw, 1, 8)) + id,
  'above its length': (draw, id) => id + 'A'.repeat(between(draw, 2_048, 60_000)),
  'of other fields': (draw, id) => idOf(fieldsOf(id).slice(0, between(draw, 0, 5))),
  'of more fields': (_draw, id) => idOf([...fieldsOf(id), 1]),
  'no list': (draw) => idOf(oneOf(draw, [null, 1, 'a', {}, { length: 6 }])),
  'of nested lists': (draw) => Buffer.from('['.repeat(between(draw, 1, 1_500))).toString('base64url'),
  'with an odd attempt': withField(0, oddValue),
  'with a path as an attempt': withField(0, (draw) => `../${hex(draw, 14)}a`),
  'with an odd token': withField(1, (draw) =>
    oneOf(draw, [1, '', '..', '../x', 'a/b', 'a?b=c', 'a b', 'ä', {}, ['a']]),
  ),
  'with an odd size': withField(2, (draw) => oneOf(draw, [0, -1, 0.5, 1e300, 2 ** 53, null, '7', {}])),
  'with an odd digest': withField(3, oddValue),
  'with odd samples': withField(4, (draw) => oneOf(draw, [0, -1, 0.5, 1e12, 2 ** 53, null, '7', {}])),
  'with an odd loss': withField(5, (draw) => oneOf(draw, ['NaN', true, {}, []])),
};

/** A token that is a path once it is decoded, as some stores do. */
const pathToken = (draw: Draw): string =>
  Buffer.from(`${hex(draw, 16)}.${'../'.repeat(between(draw, 1, 9))}`).toString('base64url');

/** Ids in the right form, of an upload that there is not. */
const NOT_OPEN: Readonly<Record<string, Garble>> = {
  'of another attempt': withField(0, (draw) => hex(draw, 16)),
  'of another token': withField(1, (draw) => oneOf(draw, [hex(draw, 16), 'a', 'x'.repeat(1_000), pathToken(draw)])),
};

/** Ids that lie about what was opened. */
const LIES: Readonly<Record<string, Garble>> = {
  'without a token': withField(1, () => null),
  'of more bytes': withField(2, (draw, bytes: number) => bytes + between(draw, 1, 2 ** 40)),
  'of fewer bytes': withField(2, (draw, bytes: number) => between(draw, 1, bytes - 1)),
  'of any bytes': withField(2, (draw) => Number(BigInt.asUintN(53, drawUint64(draw))) + 2 ** 20),
  'of another digest': withField(3, (draw) => hex(draw, 32)),
};

const named = <T>(draw: Draw, items: Readonly<Record<string, T>>): readonly [string, T] =>
  oneOf(draw, Object.entries(items));

/** `send`: the stream that goes with it. */
function messageOf(method: Method, place: Place, uploadId: string): readonly Buffer[] {
  if (method === 'uploadUpdate') return [startMessage(place, uploadId)];
  const codec = CODECS[method as keyof typeof CODECS];
  return [Buffer.from(codec.encode({ ...place, uploadId }).finish())];
}

const NAMING_METHODS = METHODS.filter((method) => method !== 'openUpload');
/** To give an upload up that there is not is no mistake. */
const OPEN_ONLY = NAMING_METHODS.filter((method) => method !== 'abortUpload');

export const garbledId: Maker = (draw) => {
  const method = oneOf(draw, NAMING_METHODS);
  const [name, garble] = named(draw, NOT_AN_ID);
  return {
    kind: 'naming',
    method,
    messages: (uploadId, place) => messageOf(method, place, garble(draw, uploadId)),
    what: `${method}: an id ${name}`,
    reasons: ['unknownUpload', 'badDigest', 'badNumber'],
    says: /allowed/,
  };
};

/** An id that is right for another upload, or an upload of another agent or run. */
export const anotherUpload: Maker = (draw, { others }) => {
  const method = oneOf(draw, OPEN_ONLY);
  const [name, garble] = named(draw, NOT_OPEN);
  const other = draw() < 0.5 ? oneOf(draw, others) : null;
  return {
    kind: 'naming',
    method,
    messages: (uploadId, place) =>
      messageOf(method, other ?? place, other === null ? garble(draw, uploadId) : uploadId),
    what: `${method}: an id ${other === null ? name : 'of another agent'}`,
    reasons: ['unknownUpload'],
    says: /open a new one/,
  };
};

/** A right id for a wrong place. */
export const wrongPlace: Maker = (draw) => {
  const method = oneOf(draw, NAMING_METHODS);
  const field = oneOf(draw, ['runId', 'agentId'] as const);
  const id = badId(draw);
  return {
    kind: 'naming',
    method,
    messages: (uploadId, place) => messageOf(method, { ...place, [field]: id }, uploadId),
    what: `${method}: ${field} ${JSON.stringify(id.slice(0, 20))}`,
    reasons: ['badId'],
    says: /^(run_id|agent_id) is .*allowed/,
  };
};

/** The file is right and the id lies of it: neither what it says nor the file is let in. */
export const lyingId: Maker = (draw, target) => {
  const file = validFile(drawTensors(draw, target.spec, target.ranks));
  const [name, garble] = named(draw, LIES);
  return lying(draw, target, file, name, garble);
};

function lying(draw: Draw, { place }: Target, file: Buffer, name: string, garble: Garble): ReturnType<Maker> {
  const stream = streamOf(draw, place, file);
  const reasons: readonly RefusalReason[] = ['badDigest', 'badFile', 'badNumber', 'tooLarge', 'unknownUpload'];
  return {
    kind: 'sending',
    declared: declarationOf(file),
    rename: (uploadId) => garble(draw, uploadId),
    streams: (uploadId) => [stream(uploadId)],
    cancelAfterTurns: null,
    leaves: 'parts',
    what: `id: a lie ${name}`,
    reasons,
  };
}
