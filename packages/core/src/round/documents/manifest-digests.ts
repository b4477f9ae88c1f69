import type { Sha256Hex } from '../../ids.ts';
import type { AdapterManifest, AdapterObject, ManifestUpdate } from './adapter-manifest.ts';
import { canonicalJson } from './canonical-json.ts';

/** SHA-256 of a text's UTF-8 bytes; it comes from whoever writes documents, because nothing here can hash. */
export type Sha256Of = (text: string) => Sha256Hex;

/** The same adapter has the same text, whoever summed it, in however many attempts: names of objects and the kernel's figures stay out. */
export const adapterDigestText = (objects: readonly AdapterObject[]): string =>
  canonicalJson(objects.map(({ taskId, bytes, digest }) => ({ taskId, bytes, digest })));

/** What an adapter is made of. */
export const updatesDigestText = (updates: readonly ManifestUpdate[]): string => canonicalJson(updates);

export type ManifestDigests = Required<Pick<AdapterManifest, 'adapterDigest' | 'updatesDigest'>>;

export const manifestDigests = (
  { objects, updates }: Pick<AdapterManifest, 'objects' | 'updates'>,
  sha256Of: Sha256Of,
): ManifestDigests => ({
  adapterDigest: sha256Of(adapterDigestText(objects)),
  updatesDigest: sha256Of(updatesDigestText(updates)),
});
