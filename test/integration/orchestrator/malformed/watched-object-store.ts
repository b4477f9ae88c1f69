import type { ObjectStore, UploadToken } from '@flexlora/stores';

/** An object store that knows which uploads were begun on it, whoever began them. */
export interface WatchedObjectStore {
  readonly store: ObjectStore;
  /** What an upload has left: its parts, its object; null when there is nothing, and then it is forgotten. */
  remains(token: string): Promise<string | null>;
  /** Uploads that were not seen to be gone. */
  readonly begun: ReadonlySet<string>;
}

export function watchObjectStore(store: ObjectStore): WatchedObjectStore {
  const names = new Map<string, string>();
  const begun = new Set<string>();
  return {
    begun,
    store: {
      ...store,
      beginUpload: async (name, signal) => {
        const token = await store.beginUpload(name, signal);
        names.set(token, name);
        begun.add(token);
        return token;
      },
    },
    remains: async (token) => {
      const name = names.get(token);
      if (name === undefined) return `upload ${token} was never begun`;
      const parts = await store.listParts(name, token as UploadToken);
      if (parts !== null) return `the open upload ${token} of ${name} with ${parts.length} parts`;
      if ((await store.head(name)) !== null) return `the object ${name}`;
      names.delete(token);
      begun.delete(token);
      return null;
    },
  };
}
