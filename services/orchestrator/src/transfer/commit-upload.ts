import type { CommitUploadRequest, CommitUploadResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import {
  type Assignment,
  canonicalJson,
  isRefusal,
  type LedgerUpdate,
  type Refusal,
  type RoundReply,
  refuse,
} from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import type { PartTag, UploadToken } from '@flexlora/stores';
import { keepFacts, readAgentFacts, replaceFacts } from '../documents/update-facts.ts';
import { eventIdOf } from '../event-id.ts';
import { alreadyAccepted, isSameUpdate } from './open-upload.ts';
import type { TransferDeps } from './transfer-service.ts';
import { checkStored } from './update-check.ts';
import { expectedModules } from './update-size.ts';
import { durableOffset } from './upload-parts.ts';
import { type UploadRef, uploadRefFromMessage } from './upload-ref.ts';
import { readUploadStanding, type UploadStanding } from './upload-standing.ts';

/**
 * Bytes first, fact second: makes the parts an object, verifies what is stored, and only then offers it to the round. Every step may be
 * repeated by another replica; a repeated commit gives the same receipt.
 */
export async function commitUpload(
  deps: TransferDeps,
  request: CommitUploadRequest,
  call: CallContext,
): Promise<CommitUploadResponse | Refusal> {
  const ref = uploadRefFromMessage(request);
  if (isRefusal(ref)) return ref;
  const standing = await readUploadStanding(deps.reader, ref.runId, ref.round, ref.agentId);
  switch (standing.kind) {
    case 'refusal':
      // What is durable stays: the same agent may be asked for the same update again.
      return standing;
    case 'over':
      await dropParts(deps, ref, call.signal);
      return standing.refusal;
    case 'accepted':
      await dropParts(deps, ref, call.signal);
      if (standing.digest === ref.declared.digest) return receipt(ref, standing.countsIn);
      return alreadyAccepted(ref, standing.digest);
    case 'wanted': {
      const update = await verifiedUpdate(deps, ref, standing, call.signal);
      return isRefusal(update) ? update : offerUpdate(deps, ref, standing, update, call.signal);
    }
  }
}

/** What a stream checked of an update while it passed. */
interface CheckedUpdate {
  /** At whose ranks it was. */
  readonly assignment: Assignment;
  readonly tags: readonly PartTag[];
}

/**
 * The same for an update all of whose parts one stream has checked and written: it is in the object store as it passed, or not at all. Null where
 * that cannot be said any more, and CommitUpload looks for itself.
 */
export async function commitChecked(
  deps: TransferDeps,
  ref: UploadRef,
  token: UploadToken,
  { assignment, tags }: CheckedUpdate,
  signal: AbortSignal,
): Promise<CommitUploadResponse | Refusal | null> {
  if ((await wantedAt(deps, ref, assignment)) === null) return null;
  if (!(await deps.objectStore.completeWritten(ref.objectName, token, tags, signal))) return null;
  // The answer may have taken its time: of a round that is over the object may be swept by now, and must get no facts.
  const standing = await wantedAt(deps, ref, assignment);
  return standing === null ? null : offerUpdate(deps, ref, standing, updateOf(ref, standing), signal);
}

/** Null when the round takes no update of the agent, or one at other ranks: it may have been handed out again. */
async function wantedAt(deps: TransferDeps, ref: UploadRef, { ranks }: Assignment): Promise<Wanted | null> {
  const standing = await readUploadStanding(deps.reader, ref.runId, ref.round, ref.agentId);
  if (standing.kind !== 'wanted') return null;
  return canonicalJson(standing.assignment.ranks) === canonicalJson(ranks) ? standing : null;
}

/** The round in which the update counts: its own, or the one that it is carried over into. */
const receipt = ({ declared }: UploadRef, countsIn: number): CommitUploadResponse => ({
  round: countsIn,
  sha256: declared.digest,
});

const receiptOf = (ref: UploadRef, reply: RoundReply): CommitUploadResponse =>
  receipt(ref, reply.kind === 'updateAccepted' ? reply.round : ref.round);

export const dropParts = async (
  deps: TransferDeps,
  { objectName, declared }: UploadRef,
  signal: AbortSignal,
): Promise<void> => {
  if (declared.token !== null) await deps.objectStore.abortUpload(objectName, declared.token, signal);
};

type Wanted = Extract<UploadStanding, { kind: 'wanted' }>;

/** The update whose bytes stand in the object store: those of this upload, or, where nothing was sent, those that it holds already. */
async function verifiedUpdate(
  deps: TransferDeps,
  ref: UploadRef,
  standing: Wanted,
  signal: AbortSignal,
): Promise<LedgerUpdate | Refusal> {
  const { declared } = ref;
  if (declared.token === null) {
    const kept = await readAgentFacts(deps.objectStore, ref, signal);
    return kept !== null && isSameUpdate(kept, declared) ? kept : notOpen();
  }
  const slot = deps.uploadSlots.take();
  try {
    const refusal = await completeAndVerify(deps, ref, declared.token, standing, signal);
    if (refusal !== null) return refusal;
  } finally {
    slot.release();
  }
  return updateOf(ref, standing);
}

function updateOf({ agentId, objectName, declared }: UploadRef, { spec, assignment }: Wanted): LedgerUpdate {
  const { bytes, digest, samples, loss } = declared;
  const { alpha, scaling } = spec.training;
  return { agentId, objectName, bytes, digest, samples, loss, ranks: assignment.ranks, alpha, scaling };
}

async function completeAndVerify(
  deps: TransferDeps,
  { objectName, declared }: UploadRef,
  token: UploadToken,
  { spec, assignment }: Wanted,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const parts = await deps.objectStore.listParts(objectName, token, signal);
  if (parts !== null) {
    const durable = durableOffset(parts, declared.bytes);
    if (durable < declared.bytes) {
      return refuse(
        'badFile',
        `${durable} of ${declared.bytes} bytes are durable; send the rest with UploadUpdate from offset ${durable}, then commit again`,
      );
    }
    await deps.objectStore.completeUpload(objectName, token, signal);
  }
  if ((await deps.objectStore.head(objectName, signal)) === null) return notOpen();
  const startedAtMs = deps.clock.nowMs();
  const refusal = await checkStored(
    deps.objectStore,
    objectName,
    { modules: expectedModules(spec, assignment.ranks), bytes: declared.bytes, digest: declared.digest },
    signal,
  );
  deps.metrics.updateVerified(refusal === null ? 'valid' : 'refused', (deps.clock.nowMs() - startedAtMs) / 1000);
  // Of this object there is no other declaration (`attemptOf`): no state and no facts can mention it.
  if (refusal !== null) await deps.objectStore.delete(objectName, signal);
  return refusal;
}

const notOpen = (): Refusal =>
  refuse(
    'unknownUpload',
    'the upload is not open: it was aborted, refused, or is too old; open a new one and send the file again',
  );

/**
 * The facts are the commit in the object store: the first that were verified stand, and are what is offered. So an update that was
 * acknowledged is the one that a recovery finds, whichever of an agent's attempts came to its end.
 */
async function offerUpdate(
  deps: TransferDeps,
  ref: UploadRef,
  standing: Wanted,
  update: LedgerUpdate,
  signal: AbortSignal,
): Promise<CommitUploadResponse | Refusal> {
  const kept = await keepFacts(deps.objectStore, ref, update, signal);
  const reply = await offer(deps, ref, standing, kept, signal);
  if (isSameUpdate(kept, update)) return isRefusal(reply) ? reply : receiptOf(ref, reply);
  if (!isRefusal(reply)) return alreadyAccepted(ref, kept.digest);
  // Trained at ranks of an earlier hand-out: the round will not have it, and may have this one. Looked at again, because the round may
  // have been handed out at those ranks once more since.
  if (reply.reason !== 'rankOutOfRange') return reply;
  const now = await readUploadStanding(deps.reader, ref.runId, ref.round, ref.agentId);
  if (now.kind !== 'wanted' || canonicalJson(now.assignment.ranks) !== canonicalJson(update.ranks)) return reply;
  await replaceFacts(deps.objectStore, ref, update, signal);
  const second = await offer(deps, ref, standing, update, signal);
  return isRefusal(second) ? second : receiptOf(ref, second);
}

async function offer(
  deps: TransferDeps,
  { runId, round }: UploadRef,
  { sinceMs }: Wanted,
  { agentId, ...update }: LedgerUpdate,
  signal: AbortSignal,
): Promise<RoundReply> {
  // A refusal is remembered for a while, and must not answer for the round that was opened again.
  const eventId = eventIdOf('updateStored', runId, round, agentId, update.digest, update.objectName, sinceMs);
  const atMs = deps.clock.nowMs();
  return deps.door.offer(runId, eventId, { kind: 'updateStored', atMs, agentId, round, update }, signal);
}
