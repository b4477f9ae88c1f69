import {
  type AgentId,
  isRefusal,
  parseAgentId,
  parseRunId,
  type Refusal,
  type RunId,
  updateObjectName,
} from '@flexlora/core';
import { attemptOf, type DeclaredUpload, decodeUploadId } from './upload-id.ts';

/** An open upload as every call after OpenUpload names it. */
export interface UploadRef {
  readonly runId: RunId;
  readonly round: number;
  readonly agentId: AgentId;
  readonly declared: DeclaredUpload;
  readonly objectName: string;
}

export function uploadRefFromMessage(message: {
  readonly runId: string;
  readonly round: number;
  readonly agentId: string;
  readonly uploadId: string;
}): UploadRef | Refusal {
  const runId = parseRunId(message.runId);
  if (isRefusal(runId)) return runId;
  const agentId = parseAgentId(message.agentId);
  if (isRefusal(agentId)) return agentId;
  const declared = decodeUploadId(message.uploadId);
  if (isRefusal(declared)) return declared;
  const objectName = updateObjectName(runId, message.round, agentId, attemptOf(declared));
  return { runId, round: message.round, agentId, declared, objectName };
}
