import { isRefusal } from '@flexlora/core';
import type { UploadToken } from '@flexlora/stores';
import { uploadRefFromMessage } from '../../services/orchestrator/src/transfer/upload-ref.ts';

/** The object that an open upload is of, as the servers read its id. */
export function uploadObject(upload: {
  readonly runId: string;
  readonly round: number;
  readonly agentId: string;
  readonly uploadId: string;
}): { readonly objectName: string; readonly token: UploadToken } {
  const ref = uploadRefFromMessage(upload);
  if (isRefusal(ref)) throw new Error(ref.message);
  const { token } = ref.declared;
  if (token === null) throw new Error('nothing is to be sent of this upload');
  return { objectName: ref.objectName, token };
}
