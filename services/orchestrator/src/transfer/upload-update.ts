import type {
  UploadChunk,
  UploadStart,
  UploadUpdateRequest,
  UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { createUpdateValidator, isRefusal, type Refusal, refuse, type UpdateValidator } from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import type { UploadToken } from '@flexlora/stores';
import { TRANSFER_IDLE_MS_MAX, UPLOAD_CHUNK_BYTES_MAX } from '../limits.ts';
import { withIdleLimit } from './idle-limit.ts';
import type { TransferDeps } from './transfer-service.ts';
import { expectedModules } from './update-size.ts';
import { isPartBoundary, partBytesAt, partNumberAt } from './upload-parts.ts';
import { readDurableOffset } from './upload-progress.ts';
import { type UploadRef, uploadRefFromMessage } from './upload-ref.ts';
import { readUploadStanding } from './upload-standing.ts';

interface OpenStream {
  readonly ref: UploadRef;
  /** Null: everything is durable already. */
  readonly token: UploadToken | null;
  readonly offset: number;
  /** Null for a stream that goes on in the middle: the whole object is verified when it is committed. */
  readonly validator: UpdateValidator | null;
}

/**
 * Writes the bytes of an update part by part and tells how much is durable. In memory is one part; while it is written no message is
 * read, so that the network holds the sender back. What is not an update is refused as soon as its bytes show it.
 */
export async function* uploadUpdate(
  deps: TransferDeps,
  requests: AsyncIterable<UploadUpdateRequest>,
  call: CallContext,
): AsyncGenerator<UploadUpdateResponse, Refusal | undefined> {
  const slot = deps.uploadSlots.take();
  const messages = withIdleLimit(requests, deps.clock, TRANSFER_IDLE_MS_MAX, call.signal);
  try {
    const first = await messages.next();
    const body = first.done === true ? undefined : first.value.body;
    if (body?.$case !== 'start') {
      return refuse('badNumber', 'the first message of UploadUpdate is not start; allowed: start, then chunks');
    }
    const stream = await openStream(deps, body.value, call.signal);
    if (isRefusal(stream)) return stream;
    if (stream.token === null || stream.offset === stream.ref.declared.bytes) {
      yield { durableOffset: stream.ref.declared.bytes };
      return undefined;
    }
    return yield* receive(deps, stream, stream.token, messages, call.signal);
  } finally {
    await messages.return();
    slot.release();
  }
}

async function openStream(deps: TransferDeps, start: UploadStart, signal: AbortSignal): Promise<OpenStream | Refusal> {
  const ref = uploadRefFromMessage(start);
  if (isRefusal(ref)) return ref;
  const standing = await readUploadStanding(deps.reader, ref.runId, ref.round, ref.agentId);
  if (isRefusal(standing)) return standing;
  if (standing.kind === 'over') return standing.refusal;
  if (standing.kind === 'accepted') return { ref, token: null, offset: ref.declared.bytes, validator: null };
  const durable = await readDurableOffset(deps, ref, signal);
  if (isRefusal(durable)) return durable;
  if (start.offset > durable || !isPartBoundary(start.offset, ref.declared.bytes)) {
    return refuse(
      'badNumber',
      `start.offset is ${start.offset}; durable is ${durable}; allowed: the durable offset that GetUpload gives`,
    );
  }
  const modules = expectedModules(standing.spec, standing.assignment.ranks);
  const validator = start.offset === 0 ? createUpdateValidator({ kind: 'assignment', modules }) : null;
  return { ref, token: ref.declared.token, offset: start.offset, validator };
}

async function* receive(
  deps: TransferDeps,
  { ref, offset: startOffset, validator }: OpenStream,
  token: UploadToken,
  messages: AsyncIterable<UploadUpdateRequest>,
  signal: AbortSignal,
): AsyncGenerator<UploadUpdateResponse, Refusal | undefined> {
  const { bytes } = ref.declared;
  let partAt = startOffset;
  let part = Buffer.allocUnsafe(partBytesAt(partAt, bytes));
  let filled = 0;
  for await (const { body } of messages) {
    if (body?.$case !== 'chunk')
      return refuse('badNumber', 'a message of UploadUpdate is not a chunk; allowed: start, then chunks');
    const misplaced = checkChunk(body.value, partAt + filled, bytes);
    if (misplaced !== null) return misplaced;
    const refusal = validate(validator, body.value.data, partAt + filled + body.value.data.byteLength === bytes);
    if (refusal !== null) {
      await deps.objectStore.abortUpload(ref.objectName, token, signal);
      return refusal;
    }
    deps.metrics.transferred('upload', body.value.data.byteLength);
    for (let rest = body.value.data; rest.byteLength > 0; ) {
      const copied = rest.copy(part, filled);
      filled += copied;
      rest = rest.subarray(copied);
      if (filled < part.byteLength) continue;
      await deps.objectStore.writePart(ref.objectName, token, partNumberAt(partAt), part, signal);
      partAt += part.byteLength;
      filled = 0;
      yield { durableOffset: partAt };
      if (partAt === bytes) return undefined;
      // The store may still hold the old buffer, so the next part has its own.
      part = Buffer.allocUnsafe(partBytesAt(partAt, bytes));
    }
  }
  return undefined;
}

function validate(validator: UpdateValidator | null, data: Buffer, isLast: boolean): Refusal | null {
  if (validator === null) return null;
  const refusal = validator.push(data);
  if (refusal !== null || !isLast) return refusal;
  const ended = validator.end();
  return isRefusal(ended) ? ended : null;
}

function checkChunk({ offset, data }: UploadChunk, expected: number, bytes: number): Refusal | null {
  if (offset !== expected) {
    return refuse('badNumber', `chunk.offset is ${offset}; allowed: ${expected}, the sum of the sizes before`);
  }
  if (data.byteLength < 1 || data.byteLength > UPLOAD_CHUNK_BYTES_MAX) {
    return refuse('badNumber', `a chunk has ${data.byteLength} bytes; allowed: 1 to ${UPLOAD_CHUNK_BYTES_MAX}`);
  }
  if (offset + data.byteLength > bytes) {
    return refuse(
      'tooLarge',
      `${offset + data.byteLength} bytes came; declared: ${bytes}: open a new upload with the right size`,
    );
  }
  return null;
}
