import type {
  UploadChunk,
  UploadStart,
  UploadUpdateRequest,
  UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { type Assignment, CallerFault, isRefusal, type Refusal, refuse } from '@flexlora/core';
import { bytesPassed, type CallContext, crc32c, giveBackMemory } from '@flexlora/runtime';
import type { PartTag, UploadToken } from '@flexlora/stores';
import { TRANSFER_IDLE_MS_MAX, UPLOAD_CHUNK_BYTES_MAX } from '../limits.ts';
import type { Slot } from '../slots.ts';
import { commitChecked, dropParts } from './commit-upload.ts';
import { withIdleLimit } from './idle-limit.ts';
import type { TransferDeps } from './transfer-service.ts';
import { createUpdateCheck, type UpdateCheck } from './update-check.ts';
import { checkUpdateSize, expectedModules } from './update-size.ts';
import { isPartBoundary, partBytesAt, partNumberAt } from './upload-parts.ts';
import { readDurableOffset } from './upload-progress.ts';
import { type UploadRef, uploadRefFromMessage } from './upload-ref.ts';
import { readUploadStanding } from './upload-standing.ts';

interface OpenStream {
  readonly ref: UploadRef;
  /** Null: everything is durable already. */
  readonly token: UploadToken | null;
  readonly offset: number;
  /** Null for a stream that goes on in the middle: the whole object is checked when it is committed. */
  readonly whole: WholeUpdate | null;
}

/** An update all of whose bytes come over one stream. */
interface WholeUpdate {
  readonly check: UpdateCheck;
  readonly assignment: Assignment;
  /** Of its parts, in their order. */
  readonly tags: PartTag[];
  readonly commits: boolean;
}

/**
 * Writes the bytes of an update part by part and tells how much is durable. In memory is one part; while it is written no message is
 * read, so that the network holds the sender back. What is not an update is refused as soon as its bytes show it. What came whole is
 * committed, if the caller wants it, without being read again.
 */
export async function* uploadUpdate(
  deps: TransferDeps,
  requests: AsyncIterable<UploadUpdateRequest>,
  call: CallContext,
): AsyncGenerator<UploadUpdateResponse, Refusal | undefined> {
  let slot: Slot | null = null;
  const messages = withIdleLimit(requests, deps.clock, TRANSFER_IDLE_MS_MAX, call.signal);
  try {
    const first = await messages.next();
    const body = first.done === true ? undefined : first.value.body;
    if (body?.$case !== 'start') {
      return refuse('badNumber', 'the first message of UploadUpdate is not start; allowed: start, then chunks');
    }
    // One who says nothing holds no place.
    slot = deps.uploadSlots.take();
    const stream = await openStream(deps, body.value, call.signal);
    if (isRefusal(stream)) return stream;
    const { ref, token, offset, whole } = stream;
    if (token === null || offset === ref.declared.bytes) {
      yield { durableOffset: ref.declared.bytes };
      return undefined;
    }
    const end = yield* receive(deps, stream, token, messages, call.signal);
    if (isRefusal(end)) return end;
    if (end === 'cutOff' || whole?.commits !== true) return undefined;
    const receipt = await commitChecked(deps, ref, token, whole, call.signal);
    if (isRefusal(receipt)) return receipt;
    if (receipt !== null) yield { durableOffset: ref.declared.bytes, receipt };
    return undefined;
  } finally {
    await messages.return();
    slot?.release();
  }
}

async function openStream(deps: TransferDeps, start: UploadStart, signal: AbortSignal): Promise<OpenStream | Refusal> {
  const ref = uploadRefFromMessage(start);
  if (isRefusal(ref)) return ref;
  const standing = await readUploadStanding(deps.reader, ref.runId, ref.round, ref.agentId);
  if (isRefusal(standing)) return standing;
  if (standing.kind === 'over') {
    await dropParts(deps, ref, signal);
    return standing.refusal;
  }
  if (standing.kind === 'accepted') return { ref, token: null, offset: ref.declared.bytes, whole: null };
  const { declared } = ref;
  const { spec, assignment } = standing;
  // Of an upload that goes on in the middle nothing else bounds what it may fill the bucket with.
  const wrongSize = checkUpdateSize(spec, assignment.ranks, declared.bytes);
  if (wrongSize !== null) return wrongSize;
  const durable = await readDurableOffset(deps, ref, signal);
  if (isRefusal(durable)) return durable;
  if (start.offset > durable || !isPartBoundary(start.offset, declared.bytes)) {
    return refuse(
      'badNumber',
      `start.offset is ${start.offset}; durable is ${durable}; allowed: the durable offset that GetUpload gives`,
    );
  }
  const modules = expectedModules(spec, assignment.ranks);
  const check = createUpdateCheck({ modules, bytes: declared.bytes, digest: declared.digest });
  const whole = start.offset === 0 ? { check, assignment, tags: [], commits: start.commit } : null;
  return { ref, token: declared.token, offset: start.offset, whole };
}

async function* receive(
  deps: TransferDeps,
  { ref, offset, whole }: OpenStream,
  token: UploadToken,
  messages: AsyncIterable<UploadUpdateRequest>,
  signal: AbortSignal,
): AsyncGenerator<UploadUpdateResponse, 'durable' | 'cutOff' | Refusal> {
  const { objectName, declared } = ref;
  let partAt = offset;
  let filled = 0;
  // One buffer for all parts: the store lets go of a part when it has written it.
  const buffer = Buffer.allocUnsafeSlow(partBytesAt(partAt, declared.bytes));
  for await (const { body } of messages) {
    if (body?.$case !== 'chunk')
      return refuse('badNumber', 'a message of UploadUpdate is not a chunk; allowed: start, then chunks');
    const misplaced = checkChunk(body.value, partAt + filled, declared.bytes);
    if (misplaced !== null) return misplaced;
    deps.metrics.transferred('upload', body.value.data.byteLength);
    for (let rest = body.value.data; rest.byteLength > 0; ) {
      const part = buffer.subarray(0, partBytesAt(partAt, declared.bytes));
      const copied = rest.copy(part, filled);
      // From the part, where numbers lie at whole addresses.
      const refusal = checkBytes(whole, part.subarray(filled, filled + copied), partAt + filled, declared.bytes);
      if (refusal !== null) {
        await deps.objectStore.abortUpload(objectName, token, signal);
        return refusal;
      }
      filled += copied;
      rest = rest.subarray(copied);
      if (filled < part.byteLength) continue;
      const tag = await deps.objectStore.writePart(objectName, token, partNumberAt(partAt), part, signal);
      whole?.tags.push(tag);
      partAt += part.byteLength;
      filled = 0;
      yield { durableOffset: partAt };
      if (partAt === declared.bytes) return 'durable';
    }
    bytesPassed(body.value.data.byteLength);
    giveBackMemory(body.value.data);
  }
  return 'cutOff';
}

function checkBytes(whole: WholeUpdate | null, bytes: Uint8Array, offset: number, end: number): Refusal | null {
  if (whole === null) return null;
  const refusal = whole.check.push(bytes);
  return refusal !== null || offset + bytes.byteLength < end ? refusal : whole.check.end();
}

/** @throws {Fault} when the chunk is not what was sent: what is durable stands, and the rest is sent again. */
function checkChunk({ offset, data, crc32c: sent }: UploadChunk, expected: number, bytes: number): Refusal | null {
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
  const came = sent === undefined ? sent : crc32c(data);
  if (came !== sent) {
    throw new CallerFault(
      `the chunk at offset ${offset} has CRC32C ${came}; it was sent with ${sent}: it was damaged on its way; ask GetUpload for the durable offset and go on from there`,
    );
  }
  return null;
}
