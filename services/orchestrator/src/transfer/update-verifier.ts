import { createHash } from 'node:crypto';
import {
  createUpdateValidator,
  type ExpectedModule,
  isRefusal,
  type Refusal,
  refuse,
  type Sha256Hex,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';

export interface ExpectedUpdate {
  readonly modules: readonly ExpectedModule[];
  readonly bytes: number;
  readonly digest: Sha256Hex;
}

/**
 * Reads a complete update as the object store has it and holds it against the assignment and its declaration: safetensors, the expected
 * tensors, finite numbers, size and SHA-256. It is read again because its parts may have come over several streams and replicas, and
 * because what counts is what is stored. In memory is one piece of it at a time.
 */
export async function verifyUpdate(
  objectStore: ObjectStore,
  objectName: string,
  expected: ExpectedUpdate,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const validator = createUpdateValidator({ kind: 'assignment', modules: expected.modules });
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of objectStore.read(objectName, undefined, signal)) {
    const refusal = validator.push(piece);
    if (refusal !== null) return refusal;
    hash.update(piece);
    bytes += piece.byteLength;
  }
  const ended = validator.end();
  if (isRefusal(ended)) return ended;
  const digest = hash.digest('hex');
  if (digest === expected.digest && bytes === expected.bytes) return null;
  return refuse(
    'badDigest',
    `the ${bytes} bytes that came have SHA-256 ${digest}; declared: ${expected.bytes} bytes with ${expected.digest}: open a new upload and send the file again`,
  );
}
