/** What is kept for later: enough for the chunks that wait on 64 streams. */
const KEPT_BYTES_MAX = 32 << 20;
/** Of smaller messages the garbage collector takes care. */
const REUSED_BYTES_MIN = 64 << 10;
/** Memory is taken in whole steps, so that a message fits where one of nearly its size was. */
const STEP_BYTES = 64 << 10;

/** By size; the last that came back is taken first: it may still be in the cache. */
const kept = new Map<number, ArrayBuffer[]>();
const lent = new WeakSet<ArrayBuffer>();
let keptBytes = 0;

/** Memory for one message: new, or what another was in. */
export function takeMemory(bytes: number): Buffer {
  if (bytes < REUSED_BYTES_MIN) return Buffer.allocUnsafe(bytes);
  const size = Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
  let memory = kept.get(size)?.pop();
  if (memory === undefined) memory = Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer;
  else keptBytes -= size;
  lent.add(memory);
  return Buffer.from(memory, 0, bytes);
}

/**
 * Lets the message that these bytes are a view of be written over by another one: nobody may read it any more. What is not given back is collected
 * as any memory is; what is no message's, or came back before, is left alone.
 */
export function giveBackMemory(bytes: Buffer): void {
  const memory = bytes.buffer as ArrayBuffer;
  if (!lent.delete(memory) || keptBytes + memory.byteLength > KEPT_BYTES_MAX) return;
  keptBytes += memory.byteLength;
  const sameSize = kept.get(memory.byteLength);
  if (sameSize === undefined) kept.set(memory.byteLength, [memory]);
  else sameSize.push(memory);
}
