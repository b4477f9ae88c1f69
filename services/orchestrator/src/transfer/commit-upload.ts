import type { CommitUploadRequest, CommitUploadResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import { type Assignment, isRefusal, type Refusal, type RunSpec, refuse, type StoredUpdate } from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import { eventIdOf } from '../event-id.ts';
import { deleteUpdateFacts, writeUpdateFacts } from '../recovery/update-facts.ts';
import { alreadyAccepted } from './open-upload.ts';
import type { TransferDeps } from './transfer-service.ts';
import { expectedModules } from './update-size.ts';
import { verifyUpdate } from './update-verifier.ts';
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
      await dropUpload(deps, ref, call.signal);
      return standing.refusal;
    case 'accepted':
      await dropParts(deps, ref);
      if (standing.digest === ref.declared.digest) return receipt(ref);
      return alreadyAccepted(ref, standing.digest);
    case 'wanted': {
      const slot = deps.uploadSlots.take();
      try {
        const refusal = await completeAndVerify(deps, ref, standing.spec, standing.assignment, call.signal);
        if (refusal !== null) return refusal;
      } finally {
        slot.release();
      }
      return offerUpdate(deps, ref, standing, call.signal);
    }
  }
}

const receipt = ({ round, declared }: UploadRef): CommitUploadResponse => ({ round, sha256: declared.digest });

/** Parts go at once. A complete object is left to the machine, which alone knows whether a state mentions it. */
async function dropUpload(deps: TransferDeps, ref: UploadRef, signal: AbortSignal): Promise<void> {
  await dropParts(deps, ref);
  if ((await deps.objectStore.head(ref.objectName, signal)) === null) return;
  const { runId, round, agentId, declared, objectName } = ref;
  // Without ranks it fits no assignment: bytes that nobody verified are refused, whatever happened meanwhile.
  const update: StoredUpdate = { ...declaredFacts(ref), ranks: {}, alpha: 1, scaling: 'constant' };
  const eventId = eventIdOf('updateStored', runId, round, agentId, declared.digest, objectName, 'unverified');
  await deps.door.tell(runId, eventId, { kind: 'updateStored', atMs: deps.clock.nowMs(), agentId, round, update });
}

const declaredFacts = ({ objectName, declared }: UploadRef) => ({
  objectName,
  bytes: declared.bytes,
  digest: declared.digest,
  samples: declared.samples,
  loss: declared.loss,
});

const dropParts = async (deps: TransferDeps, { objectName, declared }: UploadRef): Promise<void> => {
  if (declared.token !== null) await deps.objectStore.abortUpload(objectName, declared.token);
};

async function completeAndVerify(
  deps: TransferDeps,
  { objectName, declared }: UploadRef,
  spec: RunSpec,
  assignment: Assignment,
  signal: AbortSignal,
): Promise<Refusal | null> {
  if (declared.token === null) return notOpen();
  const parts = await deps.objectStore.listParts(objectName, declared.token, signal);
  if (parts !== null) {
    const durable = durableOffset(parts, declared.bytes);
    if (durable < declared.bytes) {
      return refuse(
        'badFile',
        `${durable} of ${declared.bytes} bytes are durable; send the rest with UploadUpdate from offset ${durable}, then commit again`,
      );
    }
    await deps.objectStore.completeUpload(objectName, declared.token, signal);
  }
  if ((await deps.objectStore.head(objectName, signal)) === null) return notOpen();
  const startedAtMs = deps.clock.nowMs();
  const refusal = await verifyUpdate(
    deps.objectStore,
    objectName,
    { modules: expectedModules(spec, assignment.ranks), bytes: declared.bytes, digest: declared.digest },
    signal,
  );
  deps.metrics.updateVerified(refusal === null ? 'valid' : 'refused', (deps.clock.nowMs() - startedAtMs) / 1000);
  // No state can mention an object that no verification let pass.
  if (refusal !== null) await deps.objectStore.delete(objectName);
  return refusal;
}

const notOpen = (): Refusal =>
  refuse(
    'unknownUpload',
    'the upload is not open: it was aborted, refused, or is too old; open a new one and send the file again',
  );

async function offerUpdate(
  deps: TransferDeps,
  ref: UploadRef,
  { spec, assignment, sinceMs }: Extract<UploadStanding, { kind: 'wanted' }>,
  signal: AbortSignal,
): Promise<CommitUploadResponse | Refusal> {
  const { runId, round, agentId, objectName, declared } = ref;
  const { alpha, scaling } = spec.training;
  const update: StoredUpdate = { ...declaredFacts(ref), ranks: assignment.ranks, alpha, scaling };
  await writeUpdateFacts(deps.objectStore, agentId, update, signal);
  // A refusal is remembered for a while, and must not answer for the round that was opened again.
  const eventId = eventIdOf('updateStored', runId, round, agentId, declared.digest, objectName, sinceMs);
  const atMs = deps.clock.nowMs();
  const reply = await deps.door.offer(runId, eventId, { kind: 'updateStored', atMs, agentId, round, update }, signal);
  if (!isRefusal(reply)) return receipt(ref);
  await dropRefusedFacts(deps, ref);
  return reply;
}

/**
 * Facts of a refused update are gone before its refusal is answered: a recovery takes one update an agent, and it is the one that was
 * acknowledged. The machine deletes them too, but later. An accepted object keeps its facts, however often it is offered.
 */
async function dropRefusedFacts(deps: TransferDeps, ref: UploadRef): Promise<void> {
  const view = await deps.reader.readAgent(ref.runId, ref.agentId);
  // Without the agent's record nothing is known of the object: after a recovery it may be an accepted one.
  const last = view?.agent?.lastAccepted ?? null;
  if (last === null || last.round !== ref.round || last.objectName === ref.objectName) return;
  await deleteUpdateFacts(deps.objectStore, ref.objectName);
}
