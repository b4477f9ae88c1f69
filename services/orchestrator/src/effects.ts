import { createHash } from 'node:crypto';
import {
  type AdapterDigests,
  type AdapterManifest,
  adapterDigestText,
  canonicalJson,
  documentOf,
  Fault,
  manifestObjectName,
  manifestOf,
  type PublishedManifest,
  type RoundEffect,
  type RoundEffectOutcome,
  type RoundState,
  type Sha256Hex,
  type StoredDocument,
  updatesDigestText,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from './recovery/parse-document.ts';
import { deleteUpdate } from './recovery/update-facts.ts';

/**
 * Performs what `step` decided. Every effect is idempotent and its content follows from the state in which it is pending, so that it may
 * be performed again by anyone.
 */
export async function performEffect(
  objectStore: ObjectStore,
  state: RoundState,
  effect: RoundEffect,
  signal: AbortSignal,
): Promise<RoundEffectOutcome> {
  switch (effect.kind) {
    case 'writeSpec':
      await writeDocument(objectStore, state, effect, signal);
      return { kind: 'specWritten' };
    case 'writeLedger':
      return { kind: 'ledgerWritten', ledger: await writeDocument(objectStore, state, effect, signal) };
    case 'publishManifest':
      return { kind: 'manifestPublished', ...(await publishManifest(objectStore, state, effect.round, signal)) };
    case 'deleteUpload':
      await deleteUpdate(objectStore, effect.objectName);
      return { kind: 'uploadDeleted' };
  }
}

async function writeDocument(
  objectStore: ObjectStore,
  state: RoundState,
  effect: RoundEffect,
  signal: AbortSignal,
): Promise<StoredDocument> {
  const { objectName, bytes } = bytesOf(state, effect);
  const digest = digestOf(bytes);
  if ((await objectStore.putIfAbsent(objectName, bytes, signal)) === 'written') return { objectName, digest };
  const stored = digestOf(await readStored(objectStore, objectName, signal));
  if (stored !== digest) throw otherState(objectName, `has the digest ${stored}, this state writes ${digest}`);
  return { objectName, digest };
}

/** The first writer publishes; whoever comes second takes what is published of the same ledger for the truth. */
async function publishManifest(
  objectStore: ObjectStore,
  state: RoundState,
  round: number,
  signal: AbortSignal,
): Promise<PublishedManifest> {
  const objectName = manifestObjectName(state.spec.runId, round);
  const manifest = manifestOf(state);
  const bytes = Buffer.from(canonicalJson({ ...manifest, ...digestsOf(manifest) }), 'utf8');
  const result = await objectStore.putIfAbsent(objectName, bytes, signal);
  switch (result) {
    case 'written':
      return { manifest: { objectName, digest: digestOf(bytes) }, ...digestsOf(manifest) };
    case 'exists': {
      const stored = await readStored(objectStore, objectName, signal);
      const published = parseDocument<AdapterManifest>(objectName, stored);
      const [got, wanted] = [published.ledger.digest, manifest.ledger.digest];
      if (got !== wanted) throw otherState(objectName, `is made of the ledger ${got}, this state's is ${wanted}`);
      return { manifest: { objectName, digest: digestOf(stored) }, ...digestsOf(published) };
    }
  }
}

/** Worked out anew from what is published, whoever published it. */
export const digestsOf = ({ objects, updates }: AdapterManifest): AdapterDigests => ({
  adapterDigest: digestOf(Buffer.from(adapterDigestText(objects), 'utf8')),
  updatesDigest: digestOf(Buffer.from(updatesDigestText(updates), 'utf8')),
});

async function readStored(objectStore: ObjectStore, objectName: string, signal: AbortSignal): Promise<Uint8Array> {
  const stored = await objectStore.get(objectName, undefined, signal);
  if (stored === null) throw new Fault(`${objectName} exists but cannot be read; it is read again`);
  return stored;
}

/** What is published is never written over, so the run stands still until somebody decides which of the two is the truth. */
const otherState = (objectName: string, difference: string): Fault =>
  new Fault(
    `${objectName} exists and ${difference}: the round store is behind the object store. Delete the run's keys from the round store and the run goes on from its objects`,
  );

function bytesOf(state: RoundState, effect: RoundEffect): { readonly objectName: string; readonly bytes: Uint8Array } {
  const document = documentOf(state, effect);
  if (document === null) throw new TypeError(`the effect ${effect.kind} writes no document: a bug`);
  return { objectName: document.objectName, bytes: Buffer.from(document.text, 'utf8') };
}

const digestOf = (bytes: Uint8Array): Sha256Hex => createHash('sha256').update(bytes).digest('hex') as Sha256Hex;
