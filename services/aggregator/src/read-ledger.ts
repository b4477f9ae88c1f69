import {
  type AdapterManifest,
  isRefusal,
  type Refusal,
  type RoundLedger,
  refuse,
  type StoredDocument,
} from '@flexlora/core';
import type { ObjectReader } from './object-reader.ts';
import type { TaskWork } from './translate.ts';

/** The updates of the round. Its digest was verified, so its content is what the orchestrator wrote. */
export async function readLedger(
  reader: ObjectReader,
  work: TaskWork,
  signal: AbortSignal,
): Promise<RoundLedger | Refusal> {
  const value = await reader.document(work.ledger, signal);
  if (isRefusal(value)) return value;
  const ledger = value as RoundLedger;
  if (ledger.version === 1 && ledger.runId === work.runId && ledger.round === work.round) return ledger;
  return refuse(
    'badSpec',
    `${work.ledger.objectName} is version ${ledger.version} of run ${ledger.runId}, round ${ledger.round}; allowed: version 1 of run ${work.runId}, round ${work.round}`,
  );
}

/** The adapter that the round started from. */
export async function readManifest(
  reader: ObjectReader,
  document: StoredDocument,
  work: TaskWork,
  signal: AbortSignal,
): Promise<AdapterManifest | Refusal> {
  const value = await reader.document(document, signal);
  if (isRefusal(value)) return value;
  const manifest = value as AdapterManifest;
  if (manifest.version === 1 && manifest.runId === work.runId && manifest.round < work.round) return manifest;
  return refuse(
    'badSpec',
    `${document.objectName} is version ${manifest.version} of run ${manifest.runId}, round ${manifest.round}; allowed: version 1 of run ${work.runId}, before round ${work.round}`,
  );
}
