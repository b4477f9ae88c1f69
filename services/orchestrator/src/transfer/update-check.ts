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

/** Holds an update against its assignment and its declaration as its bytes pass, all of them, in their order: safetensors, the expected tensors, finite numbers, size and SHA-256. */
export interface UpdateCheck {
  push(bytes: Uint8Array): Refusal | null;
  end(): Refusal | null;
}

export function createUpdateCheck(expected: ExpectedUpdate): UpdateCheck {
  const validator = createUpdateValidator({ kind: 'assignment', modules: expected.modules });
  const hash = createHash('sha256');
  let passed = 0;
  return {
    push(bytes) {
      const refusal = validator.push(bytes);
      if (refusal !== null) return refusal;
      hash.update(bytes);
      passed += bytes.byteLength;
      return null;
    },
    end() {
      const ended = validator.end();
      if (isRefusal(ended)) return ended;
      const digest = hash.digest('hex');
      if (digest === expected.digest && passed === expected.bytes) return null;
      return refuse(
        'badDigest',
        `the ${passed} bytes that came have SHA-256 ${digest}; declared: ${expected.bytes} bytes with ${expected.digest}: open a new upload and send the file again`,
      );
    },
  };
}

/** Checks a complete update as the object store has it: its parts came over several streams or replicas. In memory is one piece of it at a time. */
export async function checkStored(
  objectStore: ObjectStore,
  objectName: string,
  expected: ExpectedUpdate,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const check = createUpdateCheck(expected);
  for await (const piece of objectStore.read(objectName, undefined, signal)) {
    const refusal = check.push(piece);
    if (refusal !== null) return refusal;
  }
  return check.end();
}
