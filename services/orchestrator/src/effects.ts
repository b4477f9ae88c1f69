import { createHash } from 'node:crypto';
import {
  documentOf,
  Fault,
  type RoundEffect,
  type RoundEffectOutcome,
  type RoundState,
  type Sha256Hex,
  type StoredDocument,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
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
  await objectStore.put(objectName, bytes, signal);
  return { objectName, digest: digestOf(bytes) };
}

/** The first writer publishes; whoever comes second takes what is published for the truth. */
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
      const published = await objectStore.get(objectName, undefined, signal);
      if (published === null) throw new Fault(`${objectName} exists but cannot be read; it is read again`);
      return { objectName, digest: digestOf(published) };
    }
  }
}

function bytesOf(state: RoundState, effect: RoundEffect): { readonly objectName: string; readonly bytes: Uint8Array } {
  const document = documentOf(state, effect);
  if (document === null) throw new TypeError(`the effect ${effect.kind} writes no document: a bug`);
  return { objectName: document.objectName, bytes: Buffer.from(document.text, 'utf8') };
}

const digestOf = (bytes: Uint8Array): Sha256Hex => createHash('sha256').update(bytes).digest('hex') as Sha256Hex;
