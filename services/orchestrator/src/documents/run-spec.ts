import { canonicalJson, completeRunSpec, type RunSpec, type StoredRunSpec, specObjectName } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from './parse-document.ts';
import { writeOnce } from './write-once.ts';

/** Stores a specification once. One that an older program wrote is the same when it means the same; false: another stands there. */
export async function storeSpec(objectStore: ObjectStore, spec: RunSpec, signal: AbortSignal): Promise<boolean> {
  const objectName = specObjectName(spec.runId);
  const text = canonicalJson(spec);
  const written = await writeOnce(objectStore, objectName, text, signal);
  if (written.kind === 'stands') return true;
  const stored = parseDocument<Partial<StoredRunSpec>>(objectName, written.bytes);
  // What has no cohort was never a specification.
  return stored.cohort !== undefined && canonicalJson(completeRunSpec(stored as StoredRunSpec)) === text;
}
