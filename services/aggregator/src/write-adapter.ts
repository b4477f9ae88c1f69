import { createHash } from 'node:crypto';
import {
  componentCount,
  encodeRankMajor,
  Fault,
  type ModuleComponents,
  prefixBytes,
  type Sha256Hex,
} from '@flexlora/core';
import { type RetryDeps, retry } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { PART_BYTES, STORE_RETRY } from './limits.ts';

export interface WrittenObject {
  readonly bytes: number;
  readonly digest: Sha256Hex;
  readonly componentDigests: readonly Sha256Hex[];
}

/**
 * Writes the rank-major object of these modules: at once where it fits one part, else in parts, of which one is in memory. An object
 * that is given up midway leaves nothing behind.
 */
export async function writeAdapter(
  objectStore: ObjectStore,
  deps: RetryDeps,
  name: string,
  modules: readonly ModuleComponents[],
  signal: AbortSignal,
): Promise<WrittenObject> {
  const bytes = prefixBytes(modules, componentCount(modules));
  const whole = createHash('sha256');
  const componentDigests: Sha256Hex[] = [];
  function* digested(): Generator<Uint8Array, void> {
    for (const slab of encodeRankMajor(modules)) {
      whole.update(slab);
      componentDigests.push(createHash('sha256').update(slab).digest('hex') as Sha256Hex);
      yield slab;
    }
  }
  const parts = cutParts(digested(), bytes);
  const again = <T>(operation: () => Promise<T>): Promise<T> => retry(operation, STORE_RETRY, deps, { signal });
  if (bytes <= PART_BYTES) for (const part of parts) await again(() => objectStore.put(name, part, signal));
  else await writeParts(objectStore, name, bytes, parts, again, signal);
  return { bytes, digest: whole.digest('hex') as Sha256Hex, componentDigests };
}

async function writeParts(
  objectStore: ObjectStore,
  name: string,
  bytes: number,
  parts: Iterable<Uint8Array>,
  again: <T>(operation: () => Promise<T>) => Promise<T>,
  signal: AbortSignal,
): Promise<void> {
  const token = await again(() => objectStore.beginUpload(name, signal));
  try {
    let number = 0;
    for (const part of parts) {
      number += 1;
      const at = number;
      await again(() => objectStore.writePart(name, token, at, part, signal));
    }
    await again(async () => {
      if (await objectStore.completeUpload(name, token, signal)) return;
      // Unknown: an earlier try completed it, and its answer was lost.
      const found = await objectStore.head(name, signal);
      if (found?.bytes !== bytes) {
        throw new Fault(
          `the upload of ${name} vanished, and the object has ${found?.bytes ?? 'no'} bytes instead of ${bytes}`,
        );
      }
    });
  } catch (error) {
    // Parts that stay cost money and nothing else; the fault that ended the writing is the one to tell.
    await objectStore.abortUpload(name, token).catch(() => {});
    throw error;
  }
}

/** Cuts slabs into parts of `PART_BYTES`; the last has what is left. A part is valid until the next one is asked for. */
function* cutParts(slabs: Iterable<Uint8Array>, bytes: number): Generator<Uint8Array, void> {
  const part = new Uint8Array(Math.min(bytes, PART_BYTES));
  let filled = 0;
  for (const slab of slabs) {
    for (let at = 0; at < slab.byteLength; ) {
      const taken = Math.min(slab.byteLength - at, part.byteLength - filled);
      part.set(slab.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled === part.byteLength) {
        yield part;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}
