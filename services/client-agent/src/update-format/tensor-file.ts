import {
  encodeSafetensorsHeader,
  isRefusal,
  parseSafetensorsHeader,
  type Refusal,
  SAFETENSORS_LENGTH_BYTES,
  safetensorsDataAt,
  type TensorEntry,
  type TensorShape,
} from '@flexlora/core';
import type { AgentDisk } from '../disk/agent-disk.ts';

/** A safetensors file of which one tensor at a time is in memory. */
export interface TensorReader {
  readonly metadata: Readonly<Record<string, string>>;
  find(tensor: string): TensorEntry | undefined;
  read(entry: Pick<TensorEntry, 'begin' | 'end'>): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** @returns null when the file is absent, a refusal when it is no safetensors file. */
export async function openTensorFile(disk: AgentDisk, path: string): Promise<TensorReader | Refusal | null> {
  const fileBytes = await disk.size(path);
  const file = fileBytes === null ? null : await disk.open(path, 'read');
  if (fileBytes === null || file === null) return null;
  const read = async ({ begin, end }: Pick<TensorEntry, 'begin' | 'end'>): Promise<Uint8Array> => {
    const bytes = new Uint8Array(end - begin);
    const filled = await file.read(bytes, begin);
    if (filled < bytes.byteLength) throw new Error(`${path} ends at byte ${begin + filled}; it was longer before`);
    return bytes;
  };
  const header = await readHeader(read, fileBytes);
  if (isRefusal(header)) {
    await file.close();
    return header;
  }
  const entries = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  return { metadata: header.metadata, find: (tensor) => entries.get(tensor), read, close: () => file.close() };
}

async function readHeader(read: TensorReader['read'], fileBytes: number) {
  const start = await read({ begin: 0, end: Math.min(SAFETENSORS_LENGTH_BYTES, fileBytes) });
  const dataAt = safetensorsDataAt(start);
  if (isRefusal(dataAt)) return dataAt;
  return parseSafetensorsHeader(await read({ begin: 0, end: Math.min(dataAt, fileBytes) }), fileBytes);
}

/** A safetensors file whose tensors are written in any order, each once. */
export interface TensorWriter {
  write(tensor: string, bytes: Uint8Array): Promise<void>;
  /** What is written survives a power cut; its name does when the directory is synced. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export async function createTensorFile(
  disk: AgentDisk,
  path: string,
  shapes: readonly TensorShape[],
  metadata?: Readonly<Record<string, string>>,
): Promise<TensorWriter> {
  const { header, bytes: headerBytes } = encodeSafetensorsHeader(shapes, metadata);
  const begins = new Map(header.tensors.map(({ name, begin }) => [name, begin]));
  const file = await disk.create(path);
  await file.write(headerBytes, 0);
  return {
    write: (tensor, bytes) => file.write(bytes, begins.get(tensor)!),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}
