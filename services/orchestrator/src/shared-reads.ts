import type { ObjectStore } from '@flexlora/stores';

/**
 * The same store, of which the parts of a published adapter are read once for all who download it at that time: thousands of agents begin a
 * round together, and each request of S3 costs a process more than the bytes of a small adapter. Parts never change under their name. Large
 * ones are read for each download, as they pass.
 */
export function createSharedReads(
  objectStore: ObjectStore,
  limits: { readonly partBytesMax: number; readonly bytesMax: number },
): ObjectStore {
  // In the order of their last use.
  const parts = new Map<string, { readonly bytes: number; readonly content: Promise<Uint8Array | null> }>();
  let held = 0;

  const forget = (key: string, content: Promise<unknown>): void => {
    const part = parts.get(key);
    if (part === undefined || part.content !== content) return;
    parts.delete(key);
    held -= part.bytes;
  };

  const share = (name: string, end: number): Promise<Uint8Array | null> => {
    const key = `${end} ${name}`;
    const present = parts.get(key);
    // Nobody's signal: others may wait for the same bytes.
    const content = present?.content ?? objectStore.get(name, { start: 0, end });
    if (present !== undefined) forget(key, content);
    else content.catch(() => forget(key, content));
    parts.set(key, { bytes: end, content });
    held += end;
    for (const [oldest, part] of parts) {
      if (held <= limits.bytesMax) break;
      forget(oldest, part.content);
    }
    return content;
  };

  return {
    ...objectStore,
    async *read(name, range, signal) {
      const end = range?.end;
      if (range === undefined || end === undefined || end > limits.partBytesMax || !isAdapterPart(name)) {
        yield* objectStore.read(name, range, signal);
        return;
      }
      const content = await share(name, end);
      signal?.throwIfAborted();
      // The store itself says what is wrong with an object that is missing or too short.
      if (content === null || content.byteLength < end) yield* objectStore.read(name, range, signal);
      else if (range.start < end) yield content.subarray(range.start, end);
    },
  };
}

const isAdapterPart = (name: string): boolean => name.includes('/adapter/') && name.endsWith('.bin');
