import { randomUUID } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Writes that are whole or not there, whenever the process is killed or the machine loses power: bytes go to a file of the temporary
 * folder, are flushed, and only then get their name; then the folder of that name is flushed.
 */
export interface DurableFiles {
  /** A temporary file filled by `fill` and flushed, ready to get its name. */
  write(fill: (file: FileHandle) => Promise<void>): Promise<string>;
  /** Names a temporary file `path`, in a folder that is there; `exists` (only when asked not to replace) leaves what is there. */
  publish(
    temporary: string,
    path: string,
    options: { readonly onExisting: 'replace' | 'keep' },
  ): Promise<'written' | 'exists'>;
  makeFolder(path: string): Promise<void>;
  /** Makes a file or folder vanish at once, however long its bytes take to be freed; none is no fault. */
  vanish(path: string): Promise<void>;
  /** Deletes what processes left that were killed while they wrote. */
  sweep(): Promise<void>;
}

/** Marks temporary files of this process, also against an earlier one that had the same number. */
const PROCESS_MARK = randomUUID();
const ABANDONED_AFTER_MS = 24 * 60 * 60_000;

export function createDurableFiles(temporaryFolder: string): DurableFiles {
  const temporaryPath = (): string =>
    join(temporaryFolder, [encodeURIComponent(hostname()), process.pid, PROCESS_MARK, randomUUID()].join('~'));

  const files: DurableFiles = {
    async write(fill) {
      const path = temporaryPath();
      const file = await open(path, 'wx');
      try {
        await fill(file);
        await file.sync();
      } catch (error) {
        await file.close();
        await rm(path, { force: true });
        throw error;
      }
      await file.close();
      return path;
    },

    async publish(temporary, path, { onExisting }) {
      try {
        if (onExisting === 'replace') await rename(temporary, path);
        else await link(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        if (onExisting === 'keep' && hasCode(error, 'EEXIST') && (await stat(path)).isFile()) return 'exists';
        throw error;
      }
      await rm(temporary, { force: true });
      await flushFolder(dirname(path));
      return 'written';
    },

    async makeFolder(path) {
      const first = await mkdir(path, { recursive: true });
      if (first === undefined) return;
      for (let made = path; made.length >= first.length; made = dirname(made)) await flushFolder(dirname(made));
    },

    async vanish(path) {
      const grave = temporaryPath();
      try {
        await rename(path, grave);
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return;
        throw error;
      }
      await flushFolder(dirname(path));
      await rm(grave, { recursive: true, force: true });
    },

    async sweep() {
      for (const name of await readdir(temporaryFolder)) {
        const path = join(temporaryFolder, name);
        if (await isAbandoned(name, path)) await rm(path, { recursive: true, force: true });
      }
    },
  };
  return files;
}

/** A file of a process that is gone; of one on another machine, which cannot be asked, a file that nobody wrote to for a day. */
async function isAbandoned(name: string, path: string): Promise<boolean> {
  const [host, pid, mark] = name.split('~');
  if (host === encodeURIComponent(hostname())) {
    if (Number(pid) === process.pid) return mark !== PROCESS_MARK;
    return !isAlive(Number(pid));
  }
  try {
    return (await stat(path)).mtimeMs < Date.now() - ABANDONED_AFTER_MS;
  } catch {
    return false; // somebody else swept it
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));
