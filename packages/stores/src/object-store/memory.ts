import { randomUUID } from 'node:crypto';
import { assertCompletable, assertPart, assertRange, cutRange, READ_PIECE_BYTES } from './limits.ts';
import { assertObjectName, assertObjectPrefix, compareNames } from './object-name.ts';
import {
  type ByteRange,
  type ObjectStore,
  ObjectStoreFault,
  type PartTag,
  type StoredPart,
  type UploadToken,
} from './port.ts';

interface Upload {
  readonly name: string;
  readonly parts: Map<number, { readonly bytes: Uint8Array; readonly tag: PartTag }>;
}

/** Not `slice`: a Buffer's is a view of the same memory. */
const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

export interface MemoryObjectStoreOptions {
  /** Names uploads, never the same twice: safe in a URL. */
  readonly randomId?: () => string;
}

/** Objects in this process' heap: for tests. It ends with the process. */
export function createMemoryObjectStore({ randomId = randomUUID }: MemoryObjectStoreOptions = {}): ObjectStore {
  const objects = new Map<string, Uint8Array>();
  const uploads = new Map<UploadToken, Upload>();
  let partsWritten = 0;

  function find(name: string, range: ByteRange | undefined, signal: AbortSignal | undefined): Uint8Array | null {
    assertObjectName(name);
    assertRange(range);
    signal?.throwIfAborted();
    const bytes = objects.get(name);
    if (bytes === undefined) return null;
    const { start, end } = cutRange(range, bytes.length);
    return copyOf(bytes.subarray(start, end));
  }

  function uploadOf(name: string, token: UploadToken): Upload | null {
    assertObjectName(name);
    const upload = uploads.get(token);
    return upload?.name === name ? upload : null;
  }

  const partsOf = (upload: Upload): readonly StoredPart[] =>
    [...upload.parts].map(([part, { bytes }]) => ({ part, bytes: bytes.length })).sort((a, b) => a.part - b.part);

  function complete(token: UploadToken, { name, parts }: Upload, numbers: readonly number[]): void {
    const contents = numbers.map((part) => parts.get(part)!.bytes);
    assertCompletable(
      name,
      contents.map(({ length }, i) => ({ part: numbers[i]!, bytes: length })),
    );
    objects.set(name, copyOf(Buffer.concat(contents)));
    uploads.delete(token);
  }

  return {
    async put(name, bytes, signal) {
      assertObjectName(name);
      signal?.throwIfAborted();
      objects.set(name, copyOf(bytes));
    },

    async putIfAbsent(name, bytes, signal) {
      assertObjectName(name);
      signal?.throwIfAborted();
      if (objects.has(name)) return 'exists';
      objects.set(name, copyOf(bytes));
      return 'written';
    },

    async head(name, signal) {
      const bytes = find(name, undefined, signal);
      return bytes === null ? null : { bytes: bytes.length };
    },

    get: async (name, range, signal) => find(name, range, signal),

    async *read(name, range, signal) {
      const bytes = find(name, range, signal);
      if (bytes === null) throw new ObjectStoreFault(`there is no object ${name}`);
      for (let at = 0; at < bytes.length; at += READ_PIECE_BYTES) {
        signal?.throwIfAborted();
        yield bytes.subarray(at, at + READ_PIECE_BYTES);
      }
    },

    async *list(prefix, signal) {
      assertObjectPrefix(prefix);
      const names = [...objects.keys()].filter((name) => name.startsWith(prefix)).sort(compareNames);
      for (const name of names) {
        signal?.throwIfAborted();
        const bytes = objects.get(name);
        if (bytes !== undefined) yield { name, bytes: bytes.length };
      }
    },

    async *listFolders(prefix, signal) {
      assertObjectPrefix(prefix);
      const names = [...objects.keys()].filter((name) => name.startsWith(prefix) && name.includes('/', prefix.length));
      const folders = new Set(names.map((name) => name.slice(0, name.indexOf('/', prefix.length) + 1)));
      for (const folder of [...folders].sort(compareNames)) {
        signal?.throwIfAborted();
        yield folder;
      }
    },

    async delete(name, signal) {
      assertObjectName(name);
      signal?.throwIfAborted();
      objects.delete(name);
    },

    async beginUpload(name, signal) {
      assertObjectName(name);
      signal?.throwIfAborted();
      const token = randomId() as UploadToken;
      uploads.set(token, { name, parts: new Map() });
      return token;
    },

    async writePart(name, token, part, bytes, signal) {
      assertPart(part);
      signal?.throwIfAborted();
      const upload = uploadOf(name, token);
      if (upload === null) throw new ObjectStoreFault(`there is no upload ${token} of ${name}; begin it again`);
      partsWritten += 1;
      const tag = `${partsWritten}` as PartTag;
      upload.parts.set(part, { bytes: copyOf(bytes), tag });
      return tag;
    },

    async listParts(name, token, signal) {
      signal?.throwIfAborted();
      const upload = uploadOf(name, token);
      return upload === null ? null : partsOf(upload);
    },

    async completeUpload(name, token, signal) {
      signal?.throwIfAborted();
      const upload = uploadOf(name, token);
      if (upload === null) return false;
      complete(
        token,
        upload,
        partsOf(upload).map(({ part }) => part),
      );
      return true;
    },

    async completeWritten(name, token, tags, signal) {
      signal?.throwIfAborted();
      const upload = uploadOf(name, token);
      if (upload === null || tags.some((tag, i) => upload.parts.get(i + 1)?.tag !== tag)) return false;
      complete(
        token,
        upload,
        tags.map((_, i) => i + 1),
      );
      return true;
    },

    async *listUploads(prefix, signal) {
      assertObjectPrefix(prefix);
      for (const [token, { name }] of [...uploads]) {
        signal?.throwIfAborted();
        if (name.startsWith(prefix)) yield { name, token };
      }
    },

    async abortUpload(name, token, signal) {
      signal?.throwIfAborted();
      if (uploadOf(name, token) !== null) uploads.delete(token);
    },

    checkReady: async () => {},
    close: async () => {},
  };
}
