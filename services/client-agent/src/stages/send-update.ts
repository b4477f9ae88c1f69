import type { CommitUploadResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import { isRefusal, type Refusal, type RefusalReason, refuse, type Sha256Hex } from '@flexlora/core';
import { type Clock, callUnary, type Logger } from '@flexlora/runtime';
import type { AgentDisk } from '../disk/agent-disk.ts';
import type { FinishedUpdate, OpenUpload } from '../finished-update.ts';
import { CALL_MS_MAX, COMMIT_MS_MAX, UPLOAD_CHUNK_BYTES_MAX, UPLOAD_OPENS_MAX } from '../limits.ts';
import type { PatientDoor } from '../patient-door.ts';
import { uploadFrom } from '../upload-stream.ts';
import type { WorkDirectory } from '../work-directory.ts';

export interface SendUpdateDeps {
  readonly door: PatientDoor;
  readonly disk: AgentDisk;
  readonly work: WorkDirectory;
  readonly clock: Clock;
}

export interface SendUpdateRequest {
  readonly runId: string;
  readonly agentId: string;
  readonly update: FinishedUpdate;
  readonly idleMs: number;
  /** Bytes that are durable at the server. */
  readonly onProgress: (bytes: number, total: number) => void;
  readonly signal: AbortSignal;
}

export interface Accepted {
  readonly kind: 'accepted';
  /** The round that it counts in. */
  readonly countsIn: number;
  readonly sha256: Sha256Hex;
}

export interface Sent {
  readonly answer: Accepted | Refusal;
  /** With the upload that stands: who sends it once more goes on with that. */
  readonly update: FinishedUpdate;
}

/** The server no longer knows the upload, or what it holds is not what was sent: it is opened again and sent from the start. */
const OPEN_AGAIN: ReadonlySet<RefusalReason> = new Set<RefusalReason>(['unknownUpload', 'badDigest']);

/**
 * Sends a finished update until it is in the round or finally refused: open, stream from the durable offset, commit. Every step can be
 * broken off anywhere and goes on from what is durable; the journal knows the upload, so a restarted agent goes on as well.
 */
export async function sendUpdate(deps: SendUpdateDeps, request: SendUpdateRequest): Promise<Sent> {
  const { door, work } = deps;
  const { signal } = request;
  let update = request.update;
  let opens = 0;
  let reason = '';
  for (;;) {
    if (update.upload === null) {
      if (opens >= UPLOAD_OPENS_MAX) {
        const lost = `the upload was begun ${opens} times; allowed: ${UPLOAD_OPENS_MAX}; the last time: ${reason}`;
        return { answer: refuse('unknownUpload', lost), update };
      }
      opens += 1;
      const upload = await openUpload(door, { ...request, update });
      if (isRefusal(upload)) return { answer: upload, update };
      update = { ...update, upload };
      await work.saveUpdate(update);
    }
    const { upload } = update;
    if (upload === null) throw new Error('an upload was opened and is not there');

    const sent = await door.patiently(
      'upload',
      (movedOn) => sendRest(deps, { ...request, update }, upload, movedOn),
      signal,
    );
    const answer = isSettled(sent) ? sent : await commit(door, { ...request, update }, upload);
    if (!isRefusal(answer) || !OPEN_AGAIN.has(answer.reason)) return { answer, update };
    reason = answer.message;
    update = { ...update, upload: null };
    await work.saveUpdate(update);
  }
}

/** An upload that is no longer known may have been accepted before a restart: committing it again gives the same receipt. */
const isSettled = (sent: Accepted | Refusal | null): sent is Accepted | Refusal =>
  sent !== null && !(isRefusal(sent) && sent.reason === 'unknownUpload');

async function openUpload(door: PatientDoor, request: SendUpdateRequest): Promise<OpenUpload | Refusal> {
  const { runId, agentId, update, signal } = request;
  const { round, bytes, sha256, samples, loss } = update;
  const message = { runId, round, agentId, bytes, sha256, samples, ...(loss === null ? {} : { loss }) };
  const { transfers, clock } = door;
  const answer = await door.patiently(
    'open upload',
    () => callUnary(transfers, transfers.openUpload, message, { deadlineMs: CALL_MS_MAX, clock, signal }),
    signal,
  );
  if (isRefusal(answer)) return answer;
  const chunkBytesMax = Math.min(UPLOAD_CHUNK_BYTES_MAX, answer.chunkBytesMax || UPLOAD_CHUNK_BYTES_MAX);
  return { uploadId: answer.uploadId, chunkBytesMax };
}

/** Asks what is durable and streams the rest; null leaves it to be committed. Throws when the stream breaks. */
async function sendRest(
  deps: SendUpdateDeps,
  request: SendUpdateRequest,
  upload: OpenUpload,
  movedOn: () => void,
): Promise<Accepted | null> {
  const { update, signal, onProgress } = request;
  const { transfers, clock } = deps.door;
  const which = { runId: request.runId, round: update.round, agentId: request.agentId, uploadId: upload.uploadId };
  const { durableOffset } = await callUnary(transfers, transfers.getUpload, which, {
    deadlineMs: CALL_MS_MAX,
    clock,
    signal,
  });
  onProgress(durableOffset, update.bytes);
  if (durableOffset >= update.bytes) return null;
  const receipt = await uploadFrom(deps, {
    ...which,
    file: deps.work.updateFile(update.round),
    from: durableOffset,
    bytes: update.bytes,
    // Of a journal that an earlier agent wrote it may be more.
    chunkBytesMax: Math.min(UPLOAD_CHUNK_BYTES_MAX, upload.chunkBytesMax),
    idleMs: request.idleMs,
    onDurable: (offset) => {
      movedOn();
      onProgress(offset, update.bytes);
    },
    signal,
  });
  return receipt === null ? null : acceptedBy(receipt, update);
}

/** What was accepted is what was sent: other bytes would have been refused. */
const acceptedBy = ({ round }: CommitUploadResponse, { sha256 }: FinishedUpdate): Accepted => ({
  kind: 'accepted',
  countsIn: round,
  sha256,
});

async function commit(door: PatientDoor, request: SendUpdateRequest, upload: OpenUpload): Promise<Accepted | Refusal> {
  const { runId, agentId, update, signal } = request;
  const { transfers, clock } = door;
  const which = { runId, round: update.round, agentId, uploadId: upload.uploadId };
  const answer = await door.patiently(
    'commit',
    () => callUnary(transfers, transfers.commitUpload, which, { deadlineMs: COMMIT_MS_MAX, clock, signal }),
    signal,
  );
  return isRefusal(answer) ? answer : acceptedBy(answer, update);
}

/** Tells, once, that what the server holds of an update is of no use any more. Untold, it lies there until the bucket's own rules remove it. */
export async function giveUploadUp(
  { door, logger }: { readonly door: PatientDoor; readonly logger: Logger },
  request: Pick<SendUpdateRequest, 'runId' | 'agentId' | 'update' | 'signal'>,
): Promise<void> {
  const { runId, agentId, update, signal } = request;
  if (update.upload === null) return;
  const { transfers, clock } = door;
  const which = { runId, round: update.round, agentId, uploadId: update.upload.uploadId };
  try {
    await callUnary(transfers, transfers.abortUpload, which, { deadlineMs: CALL_MS_MAX, clock, signal });
  } catch (error) {
    signal.throwIfAborted();
    logger.info({ round: update.round, err: error }, 'an upload of no use could not be given up');
  }
}
