import type {
  AbortUploadRequest,
  AbortUploadResponse,
  GetUploadRequest,
  GetUploadResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { isRefusal, type Refusal, refuse } from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import type { TransferDeps } from './transfer-service.ts';
import { durableOffset } from './upload-parts.ts';
import { type UploadRef, uploadRefFromMessage } from './upload-ref.ts';

/** How much of an upload is durable: in its parts, or as the complete object. */
export async function readDurableOffset(
  deps: TransferDeps,
  { objectName, declared }: UploadRef,
  signal: AbortSignal,
): Promise<number | Refusal> {
  if (declared.token === null) return declared.bytes;
  const parts = await deps.objectStore.listParts(objectName, declared.token, signal);
  if (parts !== null) return durableOffset(parts, declared.bytes);
  const object = await deps.objectStore.head(objectName, signal);
  if (object !== null) return object.bytes;
  return refuse(
    'unknownUpload',
    'the upload is not open: it was aborted, refused, or is too old; open a new one and send the file again',
  );
}

export async function getUpload(
  deps: TransferDeps,
  request: GetUploadRequest,
  call: CallContext,
): Promise<GetUploadResponse | Refusal> {
  const ref = uploadRefFromMessage(request);
  if (isRefusal(ref)) return ref;
  const offset = await readDurableOffset(deps, ref, call.signal);
  return isRefusal(offset) ? offset : { durableOffset: offset };
}

/**
 * Drops what was sent so far. A complete object is left alone: a commit under way may have put it into the round, and nothing deletes
 * an object that a state mentions.
 */
export async function abortUpload(
  deps: TransferDeps,
  request: AbortUploadRequest,
  call: CallContext,
): Promise<AbortUploadResponse | Refusal> {
  const ref = uploadRefFromMessage(request);
  if (isRefusal(ref)) return ref;
  if (ref.declared.token !== null) await deps.objectStore.abortUpload(ref.objectName, ref.declared.token, call.signal);
  return {};
}
