import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DurableFiles, hasCode } from './durable-files.ts';
import { assertCompletable, READ_PIECE_BYTES } from './limits.ts';
import type { StoredPart, UploadToken } from './port.ts';

/** Uploads in parts, each a folder of part files outside the tree of objects: nothing of them is visible before they are completed. */
export interface FileUploads {
  begin(name: string): Promise<UploadToken>;
  /** False when the upload is unknown. */
  write(name: string, token: UploadToken, part: number, bytes: Uint8Array): Promise<boolean>;
  list(name: string, token: UploadToken): Promise<readonly StoredPart[] | null>;
  /** False when the upload is unknown. Killed half-way, the upload is still there to be completed again. */
  complete(name: string, token: UploadToken, path: string, signal: AbortSignal | undefined): Promise<boolean>;
  abort(name: string, token: UploadToken): Promise<void>;
}

const PART_FILE = /^([1-9][0-9]{0,4})\.part$/;
const TOKEN = /^[0-9a-f]{16}-[0-9a-f-]{36}$/;

export function createFileUploads(folder: string, files: DurableFiles): FileUploads {
  /** Null for a token that was not given for this name; so no token names a path of its own. */
  const folderOf = (name: string, token: UploadToken): string | null =>
    TOKEN.test(token) && token.startsWith(`${markOf(name)}-`) ? join(folder, token) : null;

  async function listIn(uploadFolder: string): Promise<readonly StoredPart[] | null> {
    const parts: StoredPart[] = [];
    try {
      for (const file of await readdir(uploadFolder)) {
        const number = PART_FILE.exec(file)?.[1];
        if (number === undefined) continue;
        parts.push({ part: Number(number), bytes: (await stat(join(uploadFolder, file))).size });
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return null;
      throw error;
    }
    return parts.sort((a, b) => a.part - b.part);
  }

  return {
    async begin(name) {
      const token = `${markOf(name)}-${randomUUID()}` as UploadToken;
      await files.makeFolder(join(folder, token));
      return token;
    },

    async write(name, token, part, bytes) {
      const uploadFolder = folderOf(name, token);
      if (uploadFolder === null) return false;
      const temporary = await files.write((file) => file.writeFile(bytes));
      try {
        await files.publish(temporary, join(uploadFolder, `${part}.part`), { onExisting: 'replace' });
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      }
      return true;
    },

    async list(name, token) {
      const uploadFolder = folderOf(name, token);
      return uploadFolder === null ? null : listIn(uploadFolder);
    },

    async complete(name, token, path, signal) {
      const uploadFolder = folderOf(name, token);
      const parts = uploadFolder === null ? null : await listIn(uploadFolder);
      if (uploadFolder === null || parts === null) return false;
      assertCompletable(name, parts);
      let temporary: string;
      try {
        temporary = await files.write(async (file) => {
          for (const { part } of parts) await append(join(uploadFolder, `${part}.part`), file, signal);
        });
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false; // completed or aborted by somebody else meanwhile
        throw error;
      }
      await files.makeFolder(dirname(path));
      await files.publish(temporary, path, { onExisting: 'replace' });
      await files.vanish(uploadFolder);
      return true;
    },

    async abort(name, token) {
      const uploadFolder = folderOf(name, token);
      if (uploadFolder !== null) await files.vanish(uploadFolder);
    },
  };
}

const markOf = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 16);

async function append(path: string, to: FileHandle, signal: AbortSignal | undefined): Promise<void> {
  const from = await open(path, 'r');
  try {
    const piece = new Uint8Array(READ_PIECE_BYTES);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await from.read(piece, 0, piece.length, null);
      if (bytesRead === 0) return;
      await to.writeFile(piece.subarray(0, bytesRead));
    }
  } finally {
    await from.close();
  }
}
