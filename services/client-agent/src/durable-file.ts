import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a small file so that, whatever happens, either the old content is there or the new one, and the new one survives a power cut. */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await renameDurably(temporary, path);
}

/** Renames, and returns when the new name survives a power cut. What is renamed has been synced before. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await sync(dirname(to));
}

/** Makes a file's bytes, or a directory's names, survive a power cut. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
