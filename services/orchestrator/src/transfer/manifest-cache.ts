import { type AdapterManifest, manifestObjectName, type RunId } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from '../documents/parse-document.ts';
import { MANIFESTS_MAX } from '../limits.ts';

/** Published manifests. They never change, so those in use are kept, and concurrent readers of one share a single read. */
export interface ManifestCache {
  /** Null when the version is not published. */
  read(runId: RunId, version: number): Promise<AdapterManifest | null>;
}

export function createManifestCache(objectStore: ObjectStore): ManifestCache {
  // In the order of their last use.
  const manifests = new Map<string, Promise<AdapterManifest | null>>();

  const load = async (name: string): Promise<AdapterManifest | null> => {
    const bytes = await objectStore.get(name);
    return bytes === null ? null : parseDocument<AdapterManifest>(name, bytes);
  };

  return {
    read: async (runId, version) => {
      const name = manifestObjectName(runId, version);
      const manifest = manifests.get(name) ?? load(name);
      manifests.delete(name);
      manifests.set(name, manifest);
      const oldest = manifests.keys().next().value;
      if (manifests.size > MANIFESTS_MAX && oldest !== undefined) manifests.delete(oldest);
      const forget = (): void => {
        if (manifests.get(name) === manifest) manifests.delete(name);
      };
      try {
        const published = await manifest;
        // Not published is not for ever.
        if (published === null) forget();
        return published;
      } catch (error) {
        forget();
        throw error;
      }
    },
  };
}
