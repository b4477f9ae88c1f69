import type { Sha256Hex } from '@flexlora/core';

/** Headers of updates, by the digest of the update: every task of a round reads the same ones. Holds a bounded number of bytes. */
export interface HeaderCache {
  find(update: Sha256Hex): Uint8Array | null;
  /** The ones that were not asked for the longest make room. */
  keep(update: Sha256Hex, header: Uint8Array): void;
}

export function createHeaderCache(bytesMax: number): HeaderCache {
  /** The one that was asked for last stands last. */
  const headers = new Map<Sha256Hex, Uint8Array>();
  let bytes = 0;

  const drop = (update: Sha256Hex): void => {
    bytes -= headers.get(update)?.byteLength ?? 0;
    headers.delete(update);
  };
  return {
    find(update) {
      const header = headers.get(update);
      if (header === undefined) return null;
      headers.delete(update);
      headers.set(update, header);
      return header;
    },
    keep(update, header) {
      drop(update);
      if (header.byteLength > bytesMax) return;
      // Its own bytes: a view would hold all that was read with it.
      headers.set(update, Uint8Array.from(header));
      bytes += header.byteLength;
      for (const oldest of headers.keys()) {
        if (bytes <= bytesMax) return;
        drop(oldest);
      }
    },
  };
}
