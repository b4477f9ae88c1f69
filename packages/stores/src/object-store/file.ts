import type { Stats } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createDurableFiles, hasCode } from './durable-files.ts';
import { fileFault } from './file-fault.ts';
import { createFileUploads } from './file-uploads.ts';
import { assertPart, assertRange, cutRange, READ_PIECE_BYTES } from './limits.ts';
import { assertObjectName, assertObjectPrefix, compareNames, isObjectName } from './object-name.ts';
import { type ByteRange, type ObjectStore, ObjectStoreFault } from './port.ts';

export interface FileObjectStoreOptions {
  /** Made when it is not there. Several processes of one machine may use it at once. */
  readonly directory: string;
}

/**
 * Objects as plain files, for one machine:
 *
 * ```text
 * <directory>/objects/<name>                an object, whole
 * <directory>/uploads/<token>/<part>.part   an upload in parts that is not completed, of <directory>/uploads/<token>/name
 * <directory>/temporary/                    files without a name yet; what a killed process left is swept at the next start
 * ```
 */
export function createFileObjectStore(options: FileObjectStoreOptions): ObjectStore {
  const directory = resolve(options.directory);
  const [objects, uploadsFolder, temporary] = ['objects', 'uploads', 'temporary'].map((part) =>
    join(directory, part),
  ) as [string, string, string];
  const files = createDurableFiles(temporary);
  const uploads = createFileUploads(uploadsFolder, files);
  let prepared: Promise<void> | null = null;

  async function prepare(): Promise<void> {
    for (const folder of [objects, uploadsFolder, temporary]) await files.makeFolder(folder);
    await files.sweep();
  }

  /** Every use of the disk: whatever goes wrong is a fault, except what the caller did (a bug, an abort). */
  async function use<T>(doing: string, signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      prepared ??= prepare();
      await prepared.catch((error: unknown) => {
        prepared = null; // the directory may be there next time
        throw error;
      });
      return await action();
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof ObjectStoreFault ? error : fileFault(doing, error);
    }
  }

  function pathOf(name: string): string {
    assertObjectName(name);
    return join(objects, ...name.split('/'));
  }

  async function write(path: string, bytes: Uint8Array, onExisting: 'replace' | 'keep'): Promise<'written' | 'exists'> {
    await files.makeFolder(dirname(path));
    const unnamed = await files.write((file) => file.writeFile(bytes));
    return files.publish(unnamed, path, { onExisting });
  }

  async function* read(name: string, range?: ByteRange, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const path = pathOf(name);
    assertRange(range);
    const found = await use(`open ${name}`, signal, () => openObject(path));
    if (found === null) throw new ObjectStoreFault(`there is no object ${name}`);
    try {
      const { start, end } = cutRange(range, found.bytes);
      for (let at = start; at < end; ) {
        const piece = await use(`read ${name}`, signal, () =>
          readExactly(found.file, at, Math.min(READ_PIECE_BYTES, end - at)),
        );
        at += piece.length;
        yield piece;
      }
    } finally {
      await found.file.close();
    }
  }

  return {
    async put(name, bytes, signal) {
      const path = pathOf(name);
      await use(`write ${name}`, signal, () => write(path, bytes, 'replace'));
    },

    async putIfAbsent(name, bytes, signal) {
      const path = pathOf(name);
      return use(`write ${name}`, signal, () => write(path, bytes, 'keep'));
    },

    async head(name, signal) {
      const path = pathOf(name);
      const found = await use(`look for ${name}`, signal, () => statIfThere(path));
      return found?.isFile() ? { bytes: found.size } : null;
    },

    async get(name, range, signal) {
      const path = pathOf(name);
      assertRange(range);
      return use(`read ${name}`, signal, async () => {
        const found = await openObject(path);
        if (found === null) return null;
        try {
          const { start, end } = cutRange(range, found.bytes);
          return await readExactly(found.file, start, end - start);
        } finally {
          await found.file.close();
        }
      });
    },

    read,

    async *list(prefix, signal) {
      assertObjectPrefix(prefix);
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      const pending = await use(`list ${folder}`, signal, () => childrenOf(objects, folder, prefix));
      for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
        const child = next;
        if (child.endsWith('/')) {
          pending.push(...(await use(`list ${child}`, signal, () => childrenOf(objects, child, prefix))));
        } else {
          const found = await use(`look at ${child}`, signal, () => statIfThere(pathOf(child)));
          if (found?.isFile()) yield { name: child, bytes: found.size };
        }
      }
    },

    async *listFolders(prefix, signal) {
      assertObjectPrefix(prefix);
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      const children = await use(`list ${folder}`, signal, () => childrenOf(objects, folder, prefix));
      for (let next = children.pop(); next !== undefined; next = children.pop()) {
        const child = next;
        // Folders stay when their last object goes: what has no object is no folder.
        if (child.endsWith('/') && (await use(`list ${child}`, signal, () => holdsObject(objects, child)))) yield child;
      }
    },

    async delete(name, signal) {
      const path = pathOf(name);
      await use(`delete ${name}`, signal, async () => {
        if ((await statIfThere(path))?.isFile()) await files.vanish(path);
      });
    },

    async beginUpload(name, signal) {
      assertObjectName(name);
      return use(`begin an upload of ${name}`, signal, () => uploads.begin(name));
    },

    async writePart(name, token, part, bytes, signal) {
      assertObjectName(name);
      assertPart(part);
      const tag = await use(`write part ${part} of ${name}`, signal, () => uploads.write(name, token, part, bytes));
      if (tag === null) throw new ObjectStoreFault(`there is no upload ${token} of ${name}; begin it again`);
      return tag;
    },

    async listParts(name, token, signal) {
      assertObjectName(name);
      return use(`list the parts of ${name}`, signal, () => uploads.list(name, token));
    },

    async completeUpload(name, token, signal) {
      const path = pathOf(name);
      return use(`complete ${name}`, signal, () => uploads.complete(name, token, path, null, signal));
    },

    async completeWritten(name, token, tags, signal) {
      const path = pathOf(name);
      return use(`complete ${name}`, signal, () => uploads.complete(name, token, path, tags, signal));
    },

    async *listUploads(prefix, signal) {
      assertObjectPrefix(prefix);
      const begun = await use('list the uploads', signal, () => uploads.begun());
      for (const upload of begun) if (upload.name.startsWith(prefix)) yield upload;
    },

    async abortUpload(name, token, signal) {
      assertObjectName(name);
      await use(`abort the upload of ${name}`, signal, () => uploads.abort(name, token));
    },

    checkReady: () =>
      use('write a file and refuse to write it again', undefined, async () => {
        const probe = join(temporary, 'probe');
        await write(probe, new Uint8Array(1), 'keep');
        if ((await write(probe, new Uint8Array(1), 'keep')) !== 'exists')
          throw new ObjectStoreFault('the file system lets a file be created twice; use a directory on a local disk');
      }),

    close: async () => {},
  };
}

/** Names (folders end in "/") that may lie under the prefix, the first in listing order last. */
async function childrenOf(objects: string, folder: string, prefix: string): Promise<string[]> {
  try {
    const entries = await readdir(join(objects, ...folder.split('/')), { withFileTypes: true });
    return entries
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .filter((child) => child.startsWith(prefix) && isObjectName(child.replace(/\/$/, '')))
      .sort((a, b) => compareNames(b, a));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function holdsObject(objects: string, folder: string): Promise<boolean> {
  for (const child of (await childrenOf(objects, folder, folder)).reverse()) {
    if (!child.endsWith('/') || (await holdsObject(objects, child))) return true;
  }
  return false;
}

async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
}

async function openObject(path: string): Promise<{ readonly file: FileHandle; readonly bytes: number } | null> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
  const found = await file.stat();
  if (found.isFile()) return { file, bytes: found.size };
  await file.close();
  return null;
}

/** An object's file is never written to, so it cannot become shorter while it is read. */
async function readExactly(file: FileHandle, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, start + filled);
    if (bytesRead === 0) throw new Error(`the file ended after ${start + filled} bytes`);
    filled += bytesRead;
  }
  return bytes;
}
