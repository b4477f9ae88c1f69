import { createHash } from 'node:crypto';
import {
  type AdapterManifest,
  documentOf,
  Fault,
  type RoundEffect,
  type RoundEffectOutcome,
  type RoundState,
  type Sha256Hex,
  type StoredDocument,
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
      return { kind: 'manifestPublished', manifest: await publishManifest(objectStore, state, effect, signal) };
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
  effect: RoundEffect,
  signal: AbortSignal,
): Promise<StoredDocument> {
  const { objectName, bytes } = bytesOf(state, effect);
  const result = await objectStore.putIfAbsent(objectName, bytes, signal);
  switch (result) {
    case 'written':
      return { objectName, digest: digestOf(bytes) };
    case 'exists': {
      const published = await readStored(objectStore, objectName, signal);
      const [got, wanted] = [published, bytes].map((text) => parseDocument<AdapterManifest>(objectName, text).ledger);
      if (got?.digest !== wanted?.digest) {
        throw otherState(objectName, `is made of the ledger ${got?.digest}, this state's is ${wanted?.digest}`);
      }
      return { objectName, digest: digestOf(published) };
    }
  }
}

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
