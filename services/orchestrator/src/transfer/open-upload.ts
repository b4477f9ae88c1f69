import type { OpenUploadRequest, OpenUploadResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import {
  isRefusal,
  type LedgerUpdate,
  parseAgentId,
  parseRunId,
  parseSha256,
  type Refusal,
  refuse,
  updateObjectName,
} from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import { readAgentFacts } from '../documents/update-facts.ts';
import { PART_BYTES, UPLOAD_CHUNK_BYTES_MAX } from '../limits.ts';
import type { TransferDeps } from './transfer-service.ts';
import { checkUpdateSize } from './update-size.ts';
import { attemptOf, checkDeclared, type DeclaredUpload, encodeUploadId } from './upload-id.ts';
import { readUploadStanding } from './upload-standing.ts';

/** Takes an agent's word for its update, if the round wants it, and makes room for its bytes. */
export async function openUpload(
  deps: TransferDeps,
  request: OpenUploadRequest,
  call: CallContext,
): Promise<OpenUploadResponse | Refusal> {
  const runId = parseRunId(request.runId);
  if (isRefusal(runId)) return runId;
  const agentId = parseAgentId(request.agentId);
  if (isRefusal(agentId)) return agentId;
  const digest = parseSha256('sha256', request.sha256);
  if (isRefusal(digest)) return digest;
  const declared = { bytes: request.bytes, samples: request.samples, loss: request.loss ?? null };
  const unbelievable = checkDeclared(declared);
  if (unbelievable !== null) return unbelievable;

  const standing = await readUploadStanding(deps.reader, runId, request.round, agentId);
  switch (standing.kind) {
    case 'refusal':
      return standing;
    case 'over':
      return standing.refusal;
    case 'accepted':
      if (standing.digest !== digest) return alreadyAccepted(request, standing.digest);
      return response({ ...declared, digest, nonce: NOT_SENT, token: null });
    case 'wanted': {
      const kept = await readAgentFacts(deps.objectStore, { runId, round: request.round, agentId }, call.signal);
      if (kept !== null && isSameUpdate(kept, { ...declared, digest })) return keptResponse(kept);
      const wrongSize = checkUpdateSize(standing.spec, standing.assignment.ranks, declared.bytes);
      if (wrongSize !== null) return wrongSize;
      const upload = { ...declared, digest, nonce: deps.randomId() };
      const objectName = updateObjectName(runId, request.round, agentId, attemptOf(upload));
      const token = await deps.objectStore.beginUpload(objectName, call.signal);
      return response({ ...upload, token });
    }
  }
}

/** The object store holds these bytes, verified, for this round: the agent commits and sends nothing. */
const keptResponse = ({ bytes, digest, samples, loss }: LedgerUpdate): OpenUploadResponse =>
  response({ nonce: NOT_SENT, token: null, bytes, digest, samples, loss });

export const isSameUpdate = (kept: LedgerUpdate, declared: Pick<DeclaredUpload, 'bytes' | 'digest'>): boolean =>
  kept.digest === declared.digest && kept.bytes === declared.bytes;

/** Of an upload that has no object of its own. */
const NOT_SENT = '0'.repeat(32);

const response = (upload: DeclaredUpload): OpenUploadResponse => ({
  uploadId: encodeUploadId(upload),
  chunkBytesMax: UPLOAD_CHUNK_BYTES_MAX,
  partBytes: PART_BYTES,
});

export const alreadyAccepted = (
  { round, agentId }: { readonly round: number; readonly agentId: string },
  digest: string,
): Refusal =>
  refuse(
    'alreadyAccepted',
    `round ${round} already has an update of agent ${agentId}, with SHA-256 ${digest}; allowed: one update a round: drop this one`,
  );
