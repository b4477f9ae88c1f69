import assert from 'node:assert/strict';
import {
  AbortUploadRequest,
  CommitUploadRequest,
  OpenUploadRequest,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { failureOf, isServiceError } from '@flexlora/runtime';
import { status } from '@grpc/grpc-js';
import { type Declared, declarationOf, type MalformedUpload, type Method, type Place } from './malformed-upload.ts';
import type { RawTransfer } from './raw-transfer.ts';
import type { WatchedObjectStore } from './watched-object-store.ts';

export interface Playground {
  readonly transfer: RawTransfer;
  readonly objects: WatchedObjectStore;
}

/** Does what the upload says, and asserts that it is refused as it says and leaves nothing. */
export async function playMalformedUpload(ground: Playground, place: Place, upload: MalformedUpload): Promise<void> {
  switch (upload.kind) {
    case 'message':
      return assertRefused(upload, await outcome(sendMessages(ground.transfer, upload.method, [upload.bytes])));
    case 'naming': {
      const uploadId = await openUpload(ground, place, HARMLESS);
      const messages = upload.messages(uploadId, place);
      assertRefused(upload, await outcome(sendMessages(ground.transfer, upload.method, messages)));
      return giveUp(ground, place, uploadId);
    }
    case 'sending': {
      const opening = openUpload(ground, place, upload.declared);
      const refusal = await outcome(opening);
      if (refusal !== null) return assertRefused(upload, refusal);
      const uploadId = await opening;
      const name = upload.rename?.(uploadId) ?? uploadId;
      assertRefused(upload, (await sendAll(ground, upload, name)) ?? (await outcome(commit(ground, place, name))));
      if (upload.leaves === 'nothing') await assertGone(ground, uploadId);
      else await giveUp(ground, place, uploadId);
    }
  }
}

/** Of a size that every assignment of the tests allows. */
const HARMLESS: Declared = declarationOf(Buffer.alloc(2_000));

/** What a call fails with; null: it went well. */
const outcome = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => null,
    (error: unknown) => error ?? new Error('nothing was thrown'),
  );

const sendMessages = (transfer: RawTransfer, method: Method, messages: readonly Buffer[]): Promise<unknown> =>
  method === 'uploadUpdate' ? transfer.stream(messages, null) : transfer.call(method, messages[0]!);

/** Sends every stream until one is refused. */
async function sendAll(
  { transfer }: Playground,
  { streams, cancelAfterTurns }: Extract<MalformedUpload, { kind: 'sending' }>,
  uploadId: string,
): Promise<unknown> {
  const all = streams(uploadId);
  for (const [at, messages] of all.entries()) {
    const error = await outcome(transfer.stream(messages, at === all.length - 1 ? cancelAfterTurns : null));
    if (error !== null && !(cancelAfterTurns !== null && isCancelled(error))) return error;
  }
  return null;
}

const isCancelled = (error: unknown): boolean => isServiceError(error) && error.code === status.CANCELLED;

async function openUpload({ transfer }: Playground, place: Place, declared: Declared): Promise<string> {
  const message = OpenUploadRequest.encode({ ...place, ...declared, samples: 10 }).finish();
  return (await transfer.openUpload(Buffer.from(message))).uploadId;
}

const commit = ({ transfer }: Playground, place: Place, uploadId: string): Promise<unknown> =>
  transfer.call('commitUpload', Buffer.from(CommitUploadRequest.encode({ ...place, uploadId }).finish()));

async function giveUp(ground: Playground, place: Place, uploadId: string): Promise<void> {
  const message = Buffer.from(AbortUploadRequest.encode({ ...place, uploadId }).finish());
  await ground.transfer.call('abortUpload', message);
  await assertGone(ground, uploadId);
}

async function assertGone({ objects }: Playground, uploadId: string): Promise<void> {
  const [, token] = JSON.parse(Buffer.from(uploadId, 'base64url').toString()) as [string, string];
  const left = await objects.remains(token);
  assert.equal(left, null, `the server left ${left}`);
}

/** What every refusal says besides what was got: what is allowed, or what to do. */
const ADVICE = /allowed|send |save |check that|open a new|ask for|call Enrol|use the|train (linear|them|at)/;

function assertRefused({ reasons, says }: MalformedUpload, error: unknown): void {
  assert.notEqual(error, null, 'it was accepted');
  const failure = failureOf(error);
  assert.ok(failure.kind === 'refusal', `it was not refused, but failed: ${error}`);
  assert.ok(reasons.includes(failure.reason), `refused for ${failure.reason}, not ${reasons}: ${failure.message}`);
  assert.match(failure.message, says ?? ADVICE);
  assert.match(failure.message, ADVICE);
}
