import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Bytes between two collections; each was in some two buffers. V8 counts the memory of buffers, but collects the young ones only when its own heap
 * fills, which moving bytes hardly does: so they pile up until a full collection, some ten times a second at full rate. Freed early, the same
 * memory is used again while it is in the cache.
 */
const COLLECT_EVERY_BYTES = 16 << 20;

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;

/** V8's own collector; null where this build of Node does not let it be called. */
function findCollector(): Collect | null {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  return typeof found === 'function' ? (found as Collect) : null;
}

const collect = findCollector();
let passed = 0;

/**
 * Told of bytes that passed through buffers which nobody needs any more, collects them from time to time. The heap is the process's, and so is the
 * count. `npm run bench:transfer` shows what it is worth.
 */
export function bytesPassed(bytes: number): void {
  passed += bytes;
  if (passed < COLLECT_EVERY_BYTES) return;
  passed = 0;
  collect?.({ type: 'minor' });
}

/**
 * For a process that moves bytes and holds little else, before it begins: V8 counts buffers as if they were its own heap, and would begin to look
 * through all of that again and again, a little at a time, because of bytes that are gone by the time it has looked. Then it looks through all at once,
 * some ten milliseconds for such a process, when what its buffers hold has really grown.
 */
export function collectForBytes(): void {
  // What is being marked is marked to its end: the flag may change between two collections, and not within one.
  collect?.({ type: 'major' });
  if (collect !== null) setFlagsFromString('--no-incremental-marking');
}
