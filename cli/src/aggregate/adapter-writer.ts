import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type AdapterFactors,
  bytesOfValues,
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
    throw error;
  }
}

export async function createAdapterWriter(out: string, modules: readonly PeftFileModule[]): Promise<AdapterWriter> {
  const place = resolve(out);
  // The first folder above that had to be made, to be removed again.
  const madeParent = await mkdir(dirname(place), { recursive: true });
  const partial = join(dirname(place), `.${basename(place)}.partial-${randomBytes(6).toString('hex')}`);
  let file: FileHandle | null = null;
  let finished = false;

  async function discard(): Promise<void> {
    if (finished) return;
    await file?.close();
    file = null;
    await rm(partial, { recursive: true, force: true });
    if (madeParent !== undefined) await removeEmptyFolders(dirname(place), resolve(madeParent));
  }

  const layout = layOutPeftFile(modules);
  try {
    await mkdir(partial);
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

/** From the inner to the outer; stops at one that somebody else has put something into. */
async function removeEmptyFolders(inner: string, outer: string): Promise<void> {
  for (let folder = inner; folder.startsWith(outer); folder = dirname(folder)) {
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
