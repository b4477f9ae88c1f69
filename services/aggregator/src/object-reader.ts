import { createHash } from 'node:crypto';
import { Fault, type Refusal, refuse, type StoredDocument } from '@flexlora/core';
import { type RetryDeps, retry } from '@flexlora/runtime';
import type { ByteRange, ObjectStore } from '@flexlora/stores';
import { DOCUMENT_BYTES_MAX, STORE_RETRY } from './limits.ts';

/** Reads what must be there: faults of the store are tried again, and an object that is missing or too short is a fault as well. */
export interface ObjectReader {
  /** Bytes `[begin, end)`, all of them. */
  range(name: string, begin: number, end: number, signal: AbortSignal): Promise<Uint8Array>;
  /** A whole JSON document whose bytes have the digest that the reference says. */
  document(reference: StoredDocument, signal: AbortSignal): Promise<unknown | Refusal>;
}

export function createObjectReader(objectStore: ObjectStore, deps: RetryDeps): ObjectReader {
  const get = (name: string, range: ByteRange, signal: AbortSignal): Promise<Uint8Array> =>
    retry(
      async () => {
        const bytes = await objectStore.get(name, range, signal);
        if (bytes === null)
          throw new Fault(`object ${name} is missing; a state mentions it, so it must exist: look in the store`);
        return bytes;
      },
      STORE_RETRY,
      deps,
      { signal },
    );

  return {
    range: async (name, begin, end, signal) => {
      const bytes = await get(name, { start: begin, end }, signal);
      if (bytes.byteLength === end - begin) return bytes;
      throw new Fault(
        `object ${name} gave ${bytes.byteLength} bytes of the range ${begin} to ${end}; it must have them all: it is cut off`,
      );
    },
    document: async ({ objectName, digest }, signal) => {
      const bytes = await get(objectName, { start: 0, end: DOCUMENT_BYTES_MAX }, signal);
      const got = createHash('sha256').update(bytes).digest('hex');
      if (got === digest)
        return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
      return refuse(
        'badDigest',
        `SHA-256 of ${objectName} is ${got}; the task says ${digest}: the document was changed`,
      );
    },
  };
}
