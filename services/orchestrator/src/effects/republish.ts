import {
  type AdapterManifest,
  type AdapterProof,
  adapterProof,
  canonicalJson,
  Fault,
  manifestObjectName,
  type PublishedManifest,
  type RepublishEffect,
  type RoundState,
  republishedManifest,
  republishedSource,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from '../documents/parse-document.ts';
import { sha256Of } from '../documents/sha256.ts';
import { writeOnce } from '../documents/write-once.ts';
import { publishedAs } from './publish-manifest.ts';
import { stateIsBehind } from './state-is-behind.ts';

/** Publishes an adapter once more under the open round: its manifest names the same objects, and no bytes are copied. */
export async function republish(
  objectStore: ObjectStore,
  state: RoundState,
  effect: RepublishEffect,
  signal: AbortSignal,
): Promise<{ readonly published: PublishedManifest; readonly proof: AdapterProof }> {
  const source = await readSource(objectStore, state, effect, signal);
  const manifest = republishedManifest(state, effect, source, sha256Of);
  const objectName = manifestObjectName(state.spec.runId, state.round);
  const written = await writeOnce(objectStore, objectName, canonicalJson(manifest), signal);
  if (written.kind === 'other') {
    throw stateIsBehind(objectName, `has the digest ${written.document.digest}, which is not what is published again`);
  }
  return { published: publishedAs(manifest, written.document), proof: adapterProof(source) };
}

async function readSource(
  objectStore: ObjectStore,
  state: RoundState,
  effect: RepublishEffect,
  signal: AbortSignal,
): Promise<AdapterManifest> {
  const { objectName, digest } = republishedSource(state, effect);
  const bytes = await objectStore.get(objectName, undefined, signal);
  if (bytes === null) throw new Fault(`${objectName} is gone: restore it from a backup, and the run goes on`);
  const got = sha256Of(bytes);
  if (got !== digest)
    throw new Fault(
      `${objectName} has the digest ${got}; allowed: ${digest}, that of the adapter that is published again: restore it from a backup, and the run goes on`,
    );
  return parseDocument<AdapterManifest>(objectName, bytes);
}
