import { randomBytes } from 'node:crypto';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type AdapterFactors,
  bytesOfValues,
  isRefusal,
  layOutPeftFile,
  type PeftFileLayout,
  type PeftFileModule,
  type Refusal,
  refuse,
} from '@flexlora/core';
import { CONFIG_FILE, WEIGHTS_FILE } from './adapter-directory.ts';

/** Writes an adapter beside its place and moves it there whole: `out` is complete or absent. */
export interface AdapterWriter {
  /** By the module's number in the list given. */
  writeModule(module: number, factors: AdapterFactors): Promise<void>;
  /** After every module was written. */
  finish(config: string): Promise<void>;
  /** Removes all that was written; nothing happens after `finish`. */
  discard(): Promise<void>;
}

/** Null where an adapter may be written there. */
export async function checkOut(out: string): Promise<Refusal | null> {
  try {
    // Without a slash at its end, which would follow the link. The adapter is moved to its place, and cannot replace a link to a directory.
    if ((await lstat(resolve(out))).isSymbolicLink()) {
      return refuse(
        'badFile',
        `${out}: --out is a symbolic link; allowed: an absent or empty directory: name its target`,
      );
    }
    const names = await readdir(out);
    if (names.length === 0) return null;
    return refuse(
      'badFile',
      `${out}: --out holds ${names.length} files or folders; allowed: an absent or empty directory: choose another`,
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'ENOTDIR')
      return refuse('badFile', `${out}: --out is or lies below a file; allowed: an absent or empty directory`);
    return unwritable(out, out, error);
  }
}

/** Refused where its folders cannot be made. */
export async function createAdapterWriter(
  out: string,
  modules: readonly PeftFileModule[],
): Promise<AdapterWriter | Refusal> {
  const place = resolve(out);
  const partial = join(dirname(place), `.${basename(place)}.partial-${randomBytes(6).toString('hex')}`);
  const made = await makeFolders(out, [...(await absentParents(place)), partial]);
  if (isRefusal(made)) return made;
  const madeParents = made.filter((folder) => folder !== partial);
  let file: FileHandle | null = null;
  let finished = false;

  async function discard(): Promise<void> {
    if (finished) return;
    await file?.close();
    file = null;
    await rm(partial, { recursive: true, force: true });
    await removeEmptyFolders(madeParents);
  }

  const layout = layOutPeftFile(modules);
  try {
    file = await open(join(partial, WEIGHTS_FILE), 'wx');
    await writeAt(file, layout.header, 0);
  } catch (error) {
    await discard();
    throw error;
  }
  const weights = file;
  const places = placesByModule(layout);

  return {
    async writeModule(module, factors) {
      for (const { side, begin } of places.get(module) ?? [])
        await writeAt(weights, bytesOfValues(factors[side]), begin);
    },

    async finish(config) {
      await weights.sync();
      await weights.close();
      file = null;
      const configFile = await open(join(partial, CONFIG_FILE), 'wx');
      try {
        await writeAt(configFile, new TextEncoder().encode(config), 0);
        await configFile.sync();
      } finally {
        await configFile.close();
      }
      await rename(partial, place);
      finished = true;
    },

    discard,
  };
}

/** The folders above this place that are not there, the outermost first. */
async function absentParents(place: string): Promise<readonly string[]> {
  const absent: string[] = [];
  for (let folder = dirname(place); folder !== dirname(folder); folder = dirname(folder)) {
    // Why another cannot be looked at, making a folder in it will say.
    const code = await stat(folder).then(
      () => null,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code !== 'ENOENT') break;
    absent.unshift(folder);
  }
  return absent;
}

/** One by one: Node's recursive `mkdir` does not return where a file system takes no folders, as under /proc. */
async function makeFolders(out: string, folders: readonly string[]): Promise<readonly string[] | Refusal> {
  const made: string[] = [];
  for (const folder of folders) {
    try {
      await mkdir(folder);
      made.push(folder);
    } catch (error) {
      // Somebody else made it meanwhile, and it is theirs to remove.
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      await removeEmptyFolders(made);
      return unwritable(out, folder, error);
    }
  }
  return made;
}

function unwritable(out: string, path: string, error: unknown): Refusal {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return refuse(
    'badFile',
    `${out}: --out cannot be made, because of ${path} (${message}); allowed: an absent or empty directory where you may write: choose another`,
  );
}

/** The last first; stops at one that somebody else has put something into. */
async function removeEmptyFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders.toReversed()) {
    try {
      await rmdir(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return;
      throw error;
    }
  }
}

function placesByModule({ factors }: PeftFileLayout): ReadonlyMap<number, PeftFileLayout['factors']> {
  return Map.groupBy(factors, ({ module }) => module);
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.byteLength - written, position + written);
    written += bytesWritten;
  }
}
