import { once } from 'node:events';
import { allocateChunk } from '@flexlora/contracts/transfer';
import type {
  CommitUploadResponse,
  UploadUpdateRequest,
  UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { Fault } from '@flexlora/core';
import { bytesPassed, type Clock, cancelOn, crc32c } from '@flexlora/runtime';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { AgentDisk } from './disk/agent-disk.ts';
import { createIdleWatch } from './idle-watch.ts';
import type { PatientDoor } from './patient-door.ts';

export interface UploadStreamRequest {
  readonly runId: string;
  readonly round: number;
  readonly agentId: string;
  readonly uploadId: string;
  readonly file: string;
  /** The durable offset to go on from, below `bytes`. */
  readonly from: number;
  readonly bytes: number;
  readonly chunkBytesMax: number;
  readonly idleMs: number;
  readonly onDurable: (offset: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Streams a file from an offset, as fast as the server takes it: the stream holds 16 chunks, its high-water mark. Returns when everything is durable,
 * with the receipt if the server has committed it too; throws what broke the stream. There is no limit of time while bytes move.
 */
export async function uploadFrom(
  deps: { readonly door: PatientDoor; readonly disk: AgentDisk; readonly clock: Clock },
  request: UploadStreamRequest,
): Promise<CommitUploadResponse | null> {
  const idle = new AbortController();
  const watch = createIdleWatch(deps.clock, request.idleMs, () => idle.abort());
  const signal = AbortSignal.any([request.signal, idle.signal]);
  const stream = cancelOn(deps.door.transfers.uploadUpdate(), signal);
  stream.on('error', () => {});
  try {
    const answers = readAnswers(stream, (offset) => {
      watch.touch();
      request.onDurable(offset);
    });
    const [last] = await Promise.all([answers, writeRest(deps.disk, stream, request, answers, watch.touch)]);
    if (last.durableOffset !== request.bytes) {
      throw new Fault(`the upload ended with ${last.durableOffset} of ${request.bytes} bytes durable`);
    }
    return last.receipt ?? null;
  } catch (error) {
    request.signal.throwIfAborted();
    if (idle.signal.aborted) throw new Fault(`nothing moved for ${request.idleMs} ms`, { cause: error });
    throw error;
  } finally {
    watch.stop();
    stream.cancel();
  }
}

type UploadStream = ClientDuplexStream<UploadUpdateRequest, UploadUpdateResponse>;

/** The last answer, when the server ends the stream. */
async function readAnswers(stream: UploadStream, onDurable: (offset: number) => void): Promise<UploadUpdateResponse> {
  let last: UploadUpdateResponse = { durableOffset: 0 };
  for await (const answer of stream as AsyncIterable<UploadUpdateResponse>) {
    last = answer;
    onDurable(answer.durableOffset);
  }
  return last;
}

async function writeRest(
  disk: AgentDisk,
  stream: UploadStream,
  request: UploadStreamRequest,
  answers: Promise<unknown>,
  touch: () => void,
): Promise<void> {
  const { runId, round, agentId, uploadId, from, bytes, chunkBytesMax } = request;
  // A stream that the server has ended takes no more: then nothing waits for it.
  const over = new AbortController();
  const end = (): void => over.abort();
  answers.then(end, end);
  const write = async (message: UploadUpdateRequest): Promise<void> => {
    if (!stream.write(message)) await once(stream, 'drain', { signal: over.signal });
    touch();
  };

  const file = await disk.open(request.file, 'read');
  if (file === null)
    throw new Error(`${request.file} was removed before it was sent: one agent at a time works in a directory`);
  try {
    await write({ body: { $case: 'start', value: { runId, round, agentId, uploadId, offset: from, commit: true } } });
    for (let offset = from; offset < bytes && !over.signal.aborted; ) {
      // Each chunk has its own buffer: the stream holds it until it is sent.
      const data = allocateChunk(Math.min(chunkBytesMax, bytes - offset));
      const bytesRead = await file.read(data, offset);
      if (bytesRead < data.byteLength)
        throw new Error(`the update on disk ends at byte ${offset + bytesRead}; its journal says ${bytes}`);
      await write({ body: { $case: 'chunk', value: { offset, data, crc32c: crc32c(data) } } });
      offset += data.byteLength;
      bytesPassed(data.byteLength);
    }
    stream.end();
  } catch (error) {
    if (!over.signal.aborted) throw error;
    // What ended the stream is told by its answers.
  } finally {
    await file.close();
  }
}
