import { Fault, type StoredDocument } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { sha256Of } from './sha256.ts';

export type WrittenOnce =
  /** These bytes stand there, whoever wrote them. */
  | { readonly kind: 'stands'; readonly document: StoredDocument }
  /** The first writer wins, and wrote others. */
  | { readonly kind: 'other'; readonly document: StoredDocument; readonly bytes: Uint8Array };

/** Writes a document that is never written over. */
export async function writeOnce(
  objectStore: ObjectStore,
  objectName: string,
  text: string,
  signal: AbortSignal,
): Promise<WrittenOnce> {
  const bytes = Buffer.from(text, 'utf8');
  const document = { objectName, digest: sha256Of(bytes) };
  if ((await objectStore.putIfAbsent(objectName, bytes, signal)) === 'written') return { kind: 'stands', document };
  const stored = await objectStore.get(objectName, undefined, signal);
  if (stored === null) throw new Fault(`${objectName} exists but cannot be read; it is read again`);
  const digest = sha256Of(stored);
  if (digest === document.digest) return { kind: 'stands', document };
  return { kind: 'other', document: { objectName, digest }, bytes: stored };
}
