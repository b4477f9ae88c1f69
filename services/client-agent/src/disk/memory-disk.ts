import type { AgentDisk, DiskFile } from './agent-disk.ts';

/**
 * A disk in memory that keeps no more than a power cut would leave: of a file the bytes that were synced, of a directory the names that were.
 * Stricter than most file systems, which keep more.
 */
export interface MemoryDisk extends AgentDisk {
  /** A power cut: what was not synced is gone, and files that were open are no longer those of the disk. */
  crash(): void;
  /** Nothing more can be written until `free`. */
  fill(): void;
  free(): void;
}

interface File {
  readonly kind: 'file';
  content: Buffer;
  /** What a power cut leaves. It may be the same buffer: then it is copied before it is written to. */
  synced: Buffer;
}

interface Directory {
  readonly kind: 'directory';
  names: Map<string, Entry>;
  synced: Map<string, Entry>;
}

type Entry = File | Directory;

const NOTHING = Buffer.alloc(0);

export function createMemoryDisk(): MemoryDisk {
  let root = newDirectory();
  let isFull = false;

  const find = (path: string): Entry | null => {
    let entry: Entry = root;
    for (const name of namesOf(path)) {
      const below: Entry | undefined = entry.kind === 'directory' ? entry.names.get(name) : undefined;
      if (below === undefined) return null;
      entry = below;
    }
    return entry;
  };
  const parentOf = (path: string): readonly [Directory, string] => {
    const names = namesOf(path);
    const parent = find(names.slice(0, -1).join('/'));
    if (parent?.kind !== 'directory') throw fault('ENOENT', 'no such directory', path);
    return [parent, names.at(-1) ?? ''];
  };
  const takeRoom = (path: string): void => {
    if (isFull) throw fault('ENOSPC', 'no space left on device', path);
  };
  const fileAt = (path: string): File | null => {
    const entry = find(path);
    if (entry?.kind === 'directory') throw fault('EISDIR', 'is a directory', path);
    return entry;
  };
  const openFile = (file: File, path: string): DiskFile => ({
    read: async (into, position) => {
      const bytes = file.content.subarray(position, position + into.byteLength);
      into.set(bytes);
      return bytes.byteLength;
    },
    write: async (bytes, position) => {
      takeRoom(path);
      const end = Math.max(file.content.byteLength, position + bytes.byteLength);
      file.content = roomFor(file, end);
      file.content.set(bytes, position);
    },
    sync: async () => {
      file.synced = file.content;
    },
    close: async () => {},
  });

  return {
    makeDirectory: async (path) => {
      let directory = root;
      for (const name of namesOf(path)) {
        const there = directory.names.get(name);
        if (there?.kind === 'file') throw fault('EEXIST', 'a file is in the way', path);
        if (there === undefined) takeRoom(path);
        const below = there ?? newDirectory();
        directory.names.set(name, below);
        if (there === undefined) directory.synced.set(name, below);
        directory = below;
      }
    },
    list: async (path) => {
      const entry = find(path);
      if (entry?.kind !== 'directory') throw fault('ENOENT', 'no such directory', path);
      return [...entry.names.keys()];
    },
    size: async (path) => fileAt(path)?.content.byteLength ?? null,
    read: async (path) => {
      const file = fileAt(path);
      return file === null ? null : Buffer.from(file.content);
    },
    open: async (path) => {
      const file = fileAt(path);
      return file === null ? null : openFile(file, path);
    },
    create: async (path) => {
      takeRoom(path);
      const there = fileAt(path);
      const [parent, name] = parentOf(path);
      const file: File = there ?? { kind: 'file', content: NOTHING, synced: NOTHING };
      file.content = NOTHING;
      parent.names.set(name, file);
      return openFile(file, path);
    },
    sync: async (path) => {
      const entry = find(path);
      if (entry === null) throw fault('ENOENT', 'no such file or directory', path);
      if (entry.kind === 'file') entry.synced = entry.content;
      else syncNames(root, entry);
    },
    rename: async (from, to) => {
      const entry = find(from);
      if (entry === null) throw fault('ENOENT', 'no such file or directory', from);
      const [parent, name] = parentOf(to);
      const there = parent.names.get(name);
      if (there?.kind === 'directory' && there.names.size > 0) throw fault('ENOTEMPTY', 'directory not empty', to);
      const [source, oldName] = parentOf(from);
      source.names.delete(oldName);
      parent.names.set(name, entry);
    },
    remove: async (path) => {
      const names = namesOf(path);
      const parent = find(names.slice(0, -1).join('/'));
      if (parent?.kind === 'directory') parent.names.delete(names.at(-1) ?? '');
    },
    crash: () => {
      root = afterCrash(root);
    },
    fill: () => {
      isFull = true;
    },
    free: () => {
      isFull = false;
    },
  };
}

const newDirectory = (): Directory => ({ kind: 'directory', names: new Map(), synced: new Map() });

const namesOf = (path: string): readonly string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/** The names of a directory become durable; what was renamed into it loses its old name by the same stroke. */
function syncNames(root: Directory, directory: Directory): void {
  const moved = new Set(directory.names.values());
  for (const known of directory.synced.values()) moved.delete(known);
  if (moved.size > 0) dropSynced(root, moved);
  directory.synced = new Map(directory.names);
}

function dropSynced(directory: Directory, moved: ReadonlySet<Entry>): void {
  for (const [name, entry] of directory.synced) {
    if (moved.has(entry)) directory.synced.delete(name);
    else if (entry.kind === 'directory') dropSynced(entry, moved);
  }
}

function afterCrash(directory: Directory): Directory {
  const names = new Map<string, Entry>();
  for (const [name, entry] of directory.synced) {
    names.set(
      name,
      entry.kind === 'directory' ? afterCrash(entry) : { kind: 'file', content: entry.synced, synced: entry.synced },
    );
  }
  return { kind: 'directory', names, synced: new Map(names) };
}

/** The file's content with `bytes` bytes, in a buffer that may be written to. */
function roomFor({ content, synced }: File, bytes: number): Buffer {
  if (content !== synced && bytes <= content.byteLength) return content;
  // Doubled, so that a file that grows chunk by chunk is not copied each time.
  const isOwn = content !== synced && content.byteOffset === 0 && content.buffer.byteLength >= bytes;
  if (isOwn) return Buffer.from(content.buffer, 0, bytes);
  const room = new ArrayBuffer(Math.max(bytes, 2 * content.byteLength));
  const grown = Buffer.from(room, 0, bytes);
  grown.set(content);
  return grown;
}

function fault(code: string, what: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${what}, '${path}'`), { code });
}
