import { dirname } from 'node:path';
import type { AgentDisk } from './disk/agent-disk.ts';

/** Writes a small file so that, whatever happens, either the old content is there or the new one, and the new one survives a power cut. */
export async function writeDurably(disk: AgentDisk, path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  const file = await disk.create(temporary);
  try {
    await file.write(typeof content === 'string' ? Buffer.from(content) : content, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await renameDurably(disk, temporary, path);
}

/** Renames, and returns when the new name survives a power cut. What is renamed has been synced before. */
export async function renameDurably(disk: AgentDisk, from: string, to: string): Promise<void> {
  await disk.rename(from, to);
  await disk.sync(dirname(to));
}
