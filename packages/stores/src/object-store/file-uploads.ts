import { createHash, type Hash, randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DurableFiles, hasCode } from './durable-files.ts';
import { assertCompletable, READ_PIECE_BYTES } from './limits.ts';
import type { BegunUpload, PartTag, StoredPart, UploadToken } from './port.ts';

/** Uploads in parts, each a folder of part files outside the tree of objects: nothing of them is visible before they are completed. */
export interface FileUploads {
  begin(name: string): Promise<UploadToken>;
  /** Null when the upload is unknown. */
  write(name: string, token: UploadToken, part: number, bytes: Uint8Array): Promise<PartTag | null>;
  list(name: string, token: UploadToken): Promise<readonly StoredPart[] | null>;
  /**
   * False when the upload is unknown, or its parts do not have these tags. Killed half-way, the upload is still there to be completed again.
   *
   * @param tags of parts 1, 2, …, which alone are taken; null takes all parts as they are.
   */
  complete(
    name: string,
    token: UploadToken,
    path: string,
    tags: readonly PartTag[] | null,
    signal: AbortSignal | undefined,
  ): Promise<boolean>;
  abort(name: string, token: UploadToken): Promise<void>;
  begun(): Promise<readonly BegunUpload[]>;
}

const PART_FILE = /^([1-9][0-9]{0,4})\.part$/;
/** Beside the parts: what they are of. */
const NAME_FILE = 'name';
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
      const temporary = await files.write((file) => file.writeFile(name));
      await files.makeFolder(join(folder, token));
      await files.publish(temporary, join(folder, token, NAME_FILE), { onExisting: 'replace' });
      return token;
    },

    async write(name, token, part, bytes) {
      const uploadFolder = folderOf(name, token);
      if (uploadFolder === null) return null;
      const temporary = await files.write((file) => file.writeFile(bytes));
      try {
        await files.publish(temporary, join(uploadFolder, `${part}.part`), { onExisting: 'replace' });
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return null;
        throw error;
      }
      return tagOf(createHash('sha256').update(bytes));
    },

    async list(name, token) {
      const uploadFolder = folderOf(name, token);
      return uploadFolder === null ? null : listIn(uploadFolder);
    },

    async complete(name, token, path, tags, signal) {
      const uploadFolder = folderOf(name, token);
      const parts = uploadFolder === null ? null : await listIn(uploadFolder);
      if (uploadFolder === null || parts === null) return false;
      const used = tags === null ? parts : parts.filter(({ part }) => part <= tags.length);
      if (tags !== null && used.length !== tags.length) return false;
      assertCompletable(name, used);
      const found: PartTag[] = [];
      let temporary: string;
      try {
        temporary = await files.write(async (file) => {
          for (const { part } of used) found.push(await append(join(uploadFolder, `${part}.part`), file, signal));
        });
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false; // completed or aborted by somebody else meanwhile
        throw error;
      }
      if (tags?.some((tag, i) => tag !== found[i])) {
        await files.vanish(temporary);
        return false;
      }
      await files.makeFolder(dirname(path));
      await files.publish(temporary, path, { onExisting: 'replace' });
      await files.vanish(uploadFolder);
      return true;
    },

    async begun() {
      const found: BegunUpload[] = [];
      for (const token of await readdir(folder)) {
        if (!TOKEN.test(token)) continue;
        try {
          found.push({ name: await readFile(join(folder, token, NAME_FILE), 'utf8'), token: token as UploadToken });
        } catch (error) {
          // Completed or dropped meanwhile, or just being begun.
          if (!hasCode(error, 'ENOENT')) throw error;
        }
      }
      return found;
    },

    async abort(name, token) {
      const uploadFolder = folderOf(name, token);
      if (uploadFolder !== null) await files.vanish(uploadFolder);
    },
  };
}

const markOf = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 16);

/** What a part holds, by its SHA-256. */
const tagOf = (hash: Hash): PartTag => hash.digest('hex') as PartTag;

async function append(path: string, to: FileHandle, signal: AbortSignal | undefined): Promise<PartTag> {
  const from = await open(path, 'r');
  const hash = createHash('sha256');
  try {
    const piece = new Uint8Array(READ_PIECE_BYTES);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await from.read(piece, 0, piece.length, null);
      if (bytesRead === 0) return tagOf(hash);
      hash.update(piece.subarray(0, bytesRead));
      await to.writeFile(piece.subarray(0, bytesRead));
    }
  } finally {
    await from.close();
  }
}
