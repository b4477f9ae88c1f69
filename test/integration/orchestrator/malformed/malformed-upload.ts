import { createHash } from 'node:crypto';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { UploadUpdateRequest } from '@flexlora/contracts/transfer/v1/transfer_service';
import type { RefusalReason } from '@flexlora/core';
import { crc32c } from '@flexlora/runtime';
import { between, type Draw } from './draw.ts';

/** An agent's place in a round. */
export interface Place {
  readonly runId: string;
  readonly round: number;
  readonly agentId: string;
}

/** Whose update is attacked. */
export interface Target {
  readonly place: Place;
  readonly spec: RunSpec;
  readonly ranks: Readonly<Record<string, number>>;
  /** Another agent of the run, and an agent of another run: both are in their rounds. */
  readonly others: readonly Place[];
}

export const METHODS = ['openUpload', 'uploadUpdate', 'getUpload', 'commitUpload', 'abortUpload'] as const;
export type Method = (typeof METHODS)[number];

/** What is done to the server, and for which reasons it may refuse it. */
export type MalformedUpload = {
  /** For people: the family and the variant. */
  readonly what: string;
  readonly reasons: readonly RefusalReason[];
  /** What the refusal says besides: the field and what was got. */
  readonly says?: RegExp;
} & (Message | Sending | Naming);

/** One message, refused by itself. */
interface Message {
  readonly kind: 'message';
  readonly method: Method;
  readonly bytes: Buffer;
}

/** An upload is opened, sent and committed; one of these is refused. */
export interface Sending {
  readonly kind: 'sending';
  readonly declared: Declared;
  /** What becomes of the id that OpenUpload gave, before it is used. */
  readonly rename?: (uploadId: string) => string;
  /** One after the other, each a list of messages. */
  readonly streams: (uploadId: string) => readonly (readonly Buffer[])[];
  /** The last stream is cancelled after so many turns of the event loop; null: it is ended as it should be. */
  readonly cancelAfterTurns: number | null;
  /** `nothing`: the server has removed it all. `parts`: it may be gone on with, so the agent gives it up. */
  readonly leaves: 'nothing' | 'parts';
}

/** An upload is opened, and a message speaks of it in the wrong way. */
interface Naming {
  readonly kind: 'naming';
  readonly method: Exclude<Method, 'openUpload'>;
  readonly messages: (uploadId: string, place: Place) => readonly Buffer[];
}

export interface Declared {
  readonly bytes: number;
  readonly sha256: string;
}

export type Maker = (draw: Draw, target: Target) => MalformedUpload;

export const declarationOf = (file: Uint8Array): Declared => ({
  bytes: file.byteLength,
  sha256: createHash('sha256').update(file).digest('hex'),
});

/** As agents send it: to be committed with the last byte. */
export const startMessage = (place: Place, uploadId: string, offset = 0): Buffer =>
  encode(
    UploadUpdateRequest.fromPartial({ body: { $case: 'start', value: { ...place, uploadId, offset, commit: true } } }),
  );

export const chunkMessage = (offset: number, data: Buffer): Buffer =>
  encode(UploadUpdateRequest.fromPartial({ body: { $case: 'chunk', value: { offset, data, crc32c: crc32c(data) } } }));

const encode = (message: UploadUpdateRequest): Buffer => Buffer.from(UploadUpdateRequest.encode(message).finish());

const CHUNKS_MAX = 6;
const CHUNK_BYTES = 512 << 10;

/** Cuts a file from `offset` into chunks at places drawn by chance. */
export function chunksOf(draw: Draw, file: Buffer, offset = 0): readonly { offset: number; data: Buffer }[] {
  const pieces = between(draw, 1, CHUNKS_MAX);
  const most = Math.min(CHUNK_BYTES, Math.max(1, Math.ceil((2 * (file.byteLength - offset)) / pieces)));
  const chunks: { offset: number; data: Buffer }[] = [];
  for (let at = offset; at < file.byteLength; ) {
    const data = file.subarray(at, at + between(draw, Math.ceil(most / 2), most));
    chunks.push({ offset: at, data });
    at += data.byteLength;
  }
  return chunks;
}

/** A whole stream as an agent sends it. */
export const streamOf = (draw: Draw, place: Place, file: Buffer, offset = 0): ((uploadId: string) => Buffer[]) => {
  const chunks = chunksOf(draw, file, offset).map((chunk) => chunkMessage(chunk.offset, chunk.data));
  return (uploadId) => [startMessage(place, uploadId, offset), ...chunks];
};

/** A file that is wrong in itself, sent as it should be: nothing of it stays. */
export function sendingFile(draw: Draw, { place }: Target, file: Buffer, declared = declarationOf(file)): Sending {
  const stream = streamOf(draw, place, file);
  const streams = (uploadId: string) => [stream(uploadId)];
  return { kind: 'sending', declared, streams, cancelAfterTurns: null, leaves: 'nothing' };
}
