/**
 * The disk of an agent. What is written survives a power cut when it was synced: a file's bytes by a sync of the file, the names of a
 * directory by a sync of the directory. Every fault (a full disk, one that is broken) is thrown as Node throws it, with its code.
 */
export interface AgentDisk {
  /** With the directories above it; one that is there is left as it is. The new names survive a power cut. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory, which must be there, in no order. */
  list(path: string): Promise<readonly string[]>;
  /** Bytes of a file; null when it is absent. */
  size(path: string): Promise<number | null>;
  /** A whole file; null when it is absent. */
  read(path: string): Promise<Buffer | null>;
  /** To read its bytes, or to change them; null when it is absent. */
  open(path: string, use: 'read' | 'change'): Promise<DiskFile | null>;
  /** An empty file, instead of one that may be there, in a directory that must be there. */
  create(path: string): Promise<DiskFile>;
  /** Of a file or a directory. */
  sync(path: string): Promise<void>;
  /** Of a file or a directory; a file at `to` is replaced. Survives a power cut when the directory of `to` is synced. */
  rename(from: string, to: string): Promise<void>;
  /** A file, or a directory with all that is in it; absent is well. */
  remove(path: string): Promise<void>;
}

export interface DiskFile {
  /** Fills `into` from `position` on. @returns fewer bytes where the file ends. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** All of them. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

const READ_BYTES = 1 << 20;

/** A file from its first byte to its last, each chunk in a buffer of its own; null when it is absent. */
export async function openChunks(disk: AgentDisk, path: string): Promise<AsyncGenerator<Buffer, void> | null> {
  const bytes = await disk.size(path);
  const file = bytes === null ? null : await disk.open(path, 'read');
  return file === null ? null : chunksOf(file, bytes ?? 0);
}

async function* chunksOf(file: DiskFile, bytes: number): AsyncGenerator<Buffer, void> {
  try {
    for (let position = 0; position < bytes; ) {
      const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, bytes - position));
      const bytesRead = await file.read(chunk, position);
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
      position += bytesRead;
    }
  } finally {
    await file.close();
  }
}
