import {
  type AdapterManifest,
  canonicalJson,
  documentOf,
  manifestDigests,
  type PublishedManifest,
  type RoundEffect,
  type RoundState,
  type StoredDocument,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from '../documents/parse-document.ts';
import { sha256Of } from '../documents/sha256.ts';
import { writeOnce } from '../documents/write-once.ts';
import { stateIsBehind } from './state-is-behind.ts';

/** The first writer publishes; whoever comes second takes what is published of the same ledger for the truth. */
export async function publishManifest(
  objectStore: ObjectStore,
  state: RoundState,
  effect: Extract<RoundEffect, { kind: 'publishManifest' }>,
  signal: AbortSignal,
): Promise<PublishedManifest> {
  const { objectName, text } = documentOf(state, effect, sha256Of);
  const written = await writeOnce(objectStore, objectName, text, signal);
  const mine: AdapterManifest = JSON.parse(text);
  if (written.kind === 'stands') return publishedAs(mine, written.document);
  const other = parseDocument<AdapterManifest>(objectName, written.bytes);
  const [got, wanted] = [other.ledger?.digest, mine.ledger?.digest];
  if (got !== wanted)
    throw stateIsBehind(objectName, `is made of the ledger ${got ?? '(none)'}, this state's is ${wanted}`);
  if (canonicalJson(other.carried ?? []) !== canonicalJson(mine.carried ?? []))
    throw stateIsBehind(objectName, 'carries other updates over than this state does');
  return publishedAs(other, written.document);
}

/** Digests are worked out anew from what is published, whoever published it. */
export const publishedAs = (manifest: AdapterManifest, document: StoredDocument): PublishedManifest => ({
  manifest: document,
  ...manifestDigests(manifest, sha256Of),
});
