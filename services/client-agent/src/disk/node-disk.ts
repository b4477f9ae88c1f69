import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';
import type { AgentDisk, DiskFile } from './agent-disk.ts';

/** The files of this machine. */
export function createNodeDisk(): AgentDisk {
  return {
    makeDirectory: async (path) => {
      const first = await mkdir(path, { recursive: true });
      if (first === undefined) return;
      for (const made of pathsBetween(dirname(first), dirname(path))) await sync(made);
    },
    list: (path) => readdir(path),
    size: async (path) => (await ifThere(stat(path)))?.size ?? null,
    read: (path) => ifThere(readFile(path)),
    open: async (path, use) => {
      const handle = await ifThere(open(path, use === 'read' ? 'r' : 'r+'));
      return handle === null ? null : fileOf(handle);
    },
    create: async (path) => fileOf(await open(path, 'w+')),
    sync,
    rename,
    remove: (path) => rm(path, { recursive: true, force: true }),
  };
}

function fileOf(handle: FileHandle): DiskFile {
  return {
    read: async (into, position) => {
      let filled = 0;
      while (filled < into.byteLength) {
        const { bytesRead } = await handle.read(into, filled, into.byteLength - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    write: async (bytes, position) => {
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position + done);
        done += bytesWritten;
      }
    },
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `from`, what lies below it, and `to`. */
function pathsBetween(from: string, to: string): readonly string[] {
  const paths = [from];
  for (const name of relative(from, to).split(sep)) if (name !== '') paths.push(`${paths.at(-1)}${sep}${name}`);
  return paths;
}

async function ifThere<T>(operation: Promise<T>): Promise<T | null> {
  try {
    return await operation;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
