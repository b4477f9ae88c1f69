import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import type { ObjectStore } from '../port.ts';

/** One backend under test. */
export interface ObjectStoreHarness {
  /** A client of the backend that knows nothing but the backend; where one process' heap is all there is, always the same. */
  open(): ObjectStore;
  close(): Promise<void>;
}

export type OpenObjectStoreHarness = () => ObjectStoreHarness | Promise<ObjectStoreHarness>;

/** Two clients of one backend and a folder of names of its own, ending in "/". */
export interface Scene {
  readonly store: ObjectStore;
  readonly other: ObjectStore;
  readonly folder: string;
}

export function scene(openHarness: OpenObjectStoreHarness) {
  return (play: (scene: Scene) => Promise<void>) => async (): Promise<void> => {
    const harness = await openHarness();
    try {
      await play({ store: harness.open(), other: harness.open(), folder: `suite-${randomUUID()}/` });
    } finally {
      await harness.close();
    }
  };
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : new TextDecoder().decode(bytes);
export const digestOf = (...pieces: readonly Uint8Array[]): string => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
};

/** Bytes that differ everywhere: a block in the wrong place changes the digest. */
export function numbered(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0, x = seed + 1; i < words.length; i += 1) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, length);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Runs as many at once as a careful caller would. */
export async function inTurns<T>(items: readonly T[], action: (item: T) => Promise<unknown>): Promise<void> {
  const AT_ONCE = 32;
  for (let at = 0; at < items.length; at += AT_ONCE) await Promise.all(items.slice(at, at + AT_ONCE).map(action));
}

export const isReason = (reason: unknown) => (error: unknown) => {
  assert.equal(error, reason);
  return true;
};
