import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createUpdateValidator,
  type FactorEntry,
  Fault,
  isRefusal,
  type ModuleFactorEntries,
  type ModuleName,
  type PeftConfig,
  parsePeftConfig,
  parseSafetensorsHeader,
  peftModuleRank,
  type RawFactor,
  type Refusal,
  readFactorEntries,
  refuse,
  SAFETENSORS_LENGTH_BYTES,
  safetensorsDataAt,
} from '@flexlora/core';
import { CONFIG_BYTES_MAX, READ_BYTES } from './limits.ts';

export const WEIGHTS_FILE = 'adapter_model.safetensors';
export const CONFIG_FILE = 'adapter_config.json';

/** A PEFT adapter whose configuration and header were read and agree; of its tensors nothing is in memory. */
export interface AdapterDirectory {
  readonly directory: string;
  readonly weightsPath: string;
  readonly config: PeftConfig;
  readonly configBytes: Uint8Array;
  readonly modules: ReadonlyMap<ModuleName, ModuleFactorEntries>;
}

export async function openAdapterDirectory(directory: string): Promise<AdapterDirectory | Refusal> {
  const problem = await checkListing(directory);
  if (problem !== null) return problem;
  const configPath = join(directory, CONFIG_FILE);
  const configBytes = await withFile(configPath, async (file, size) => {
    if (size > CONFIG_BYTES_MAX) return refuse('tooLarge', `has ${size} bytes; allowed: ${CONFIG_BYTES_MAX}`);
    return readAt(file, 0, size);
  });
  if (isRefusal(configBytes)) return configBytes;
  const config = parsePeftConfig(new TextDecoder().decode(configBytes));
  if (isRefusal(config)) return at(configPath, config);
  const weightsPath = join(directory, WEIGHTS_FILE);
  const modules = await withFile(weightsPath, readModules);
  if (isRefusal(modules)) return modules;
  for (const { name, rank, a } of modules.values()) {
    const configured = peftModuleRank(config, name);
    if (rank === configured) continue;
    return refuse(
      'rankOutOfRange',
      `${weightsPath}: rank of ${a.tensor} is ${rank}; ${CONFIG_FILE} says ${configured}: correct r or rank_pattern there, because the scaling follows from it`,
    );
  }
  return { directory, weightsPath, config, configBytes, modules };
}

async function checkListing(directory: string): Promise<Refusal | null> {
  let names: readonly string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return refuse('badFile', `${directory}: there is no such directory; allowed: a PEFT adapter's directory`);
    if (code === 'ENOTDIR') return refuse('badFile', `${directory}: is a file; allowed: a PEFT adapter's directory`);
    throw unreadable(directory, error);
  }
  for (const needed of [CONFIG_FILE, WEIGHTS_FILE]) {
    if (names.includes(needed)) continue;
    const advice = names.includes('adapter_model.bin')
      ? 'adapter_model.bin is a pickle, which is never read: save with safe_serialization=True'
      : 'save the adapter with peft_model.save_pretrained';
    return refuse('badFile', `${directory}: ${needed} is missing; ${advice}`);
  }
  return null;
}

async function readModules(
  file: FileHandle,
  size: number,
): Promise<ReadonlyMap<ModuleName, ModuleFactorEntries> | Refusal> {
  const start = await readAt(file, 0, Math.min(SAFETENSORS_LENGTH_BYTES, size));
  if (isRefusal(start)) return start;
  const dataAt = safetensorsDataAt(start);
  if (isRefusal(dataAt)) return dataAt;
  const head = await readAt(file, 0, Math.min(dataAt, size));
  if (isRefusal(head)) return head;
  const header = parseSafetensorsHeader(head, size);
  return isRefusal(header) ? header : readFactorEntries(header);
}

/**
 * Reads all of an adapter once: checks that every number is finite, and gives the SHA-256 of its configuration, weights and samples,
 * by which the updates are ordered.
 */
export async function digestAdapter(
  adapter: AdapterDirectory,
  samples: number,
  signal: AbortSignal | undefined,
): Promise<string | Refusal> {
  const hash = createHash('sha256')
    .update(`${samples} ${adapter.configBytes.byteLength}\n`)
    .update(adapter.configBytes);
  const validator = createUpdateValidator({ kind: 'anyAdapter' });
  return withFile(adapter.weightsPath, async (file) => {
    for await (const chunk of chunksOf(file)) {
      signal?.throwIfAborted();
      const refusal = validator.push(chunk);
      if (refusal !== null) return refusal;
      hash.update(chunk);
    }
    const answer = validator.end();
    return isRefusal(answer) ? answer : hash.digest('hex');
  });
}

/** A whole file, in its order: while one chunk is used, the next is being read. A chunk is valid until the next one is asked for. */
async function* chunksOf(file: FileHandle): AsyncGenerator<Uint8Array, void, void> {
  const buffers = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)] as const;
  let [filling, used] = buffers;
  let position = 0;
  let ahead = file.read(filling, 0, READ_BYTES, position);
  try {
    for (;;) {
      const { bytesRead } = await ahead;
      if (bytesRead === 0) return;
      position += bytesRead;
      [filling, used] = [used, filling];
      ahead = file.read(filling, 0, READ_BYTES, position);
      // Its failure is told where its bytes are asked for.
      ahead.catch(() => {});
      yield used.subarray(0, bytesRead);
    }
  } finally {
    await ahead.catch(() => {});
  }
}

/** The two factors of one module: nothing else of the file is read. */
export async function readModuleFactors(
  { weightsPath, modules }: AdapterDirectory,
  name: ModuleName,
): Promise<{ readonly b: RawFactor; readonly a: RawFactor } | Refusal> {
  const entries = modules.get(name)!;
  return withFile(weightsPath, async (file) => {
    const b = await readFactor(file, entries.b);
    if (isRefusal(b)) return b;
    const a = await readFactor(file, entries.a);
    return isRefusal(a) ? a : { b, a };
  });
}

async function readFactor(
  file: FileHandle,
  { dtype, rows, cols, begin, end }: FactorEntry,
): Promise<RawFactor | Refusal> {
  const bytes = await readAt(file, begin, end);
  return isRefusal(bytes) ? bytes : { dtype, rows, cols, bytes };
}

async function withFile<Value>(
  path: string,
  read: (file: FileHandle, size: number) => Promise<Value | Refusal>,
): Promise<Value | Refusal> {
  try {
    // Before it is opened: that of a named pipe would wait for somebody who writes to it.
    const found = await stat(path);
    if (!found.isFile()) {
      const what = found.isDirectory() ? 'is a directory' : 'is neither a file nor a directory';
      return refuse('badFile', `${path}: ${what}; allowed: a file: save the adapter with peft_model.save_pretrained`);
    }
    const file = await open(path, 'r');
    try {
      const value = await read(file, found.size);
      return isRefusal(value) ? at(path, value) : value;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function readAt(file: FileHandle, begin: number, end: number): Promise<Uint8Array | Refusal> {
  // Not filled with zeros, and of no pool: the kernel may keep it.
  const bytes = Buffer.allocUnsafeSlow(end - begin);
  for (let filled = 0; filled < bytes.byteLength; ) {
    const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, begin + filled);
    if (bytesRead === 0)
      return refuse('badFile', `ends at byte ${begin + filled} while it is read; wait until it is complete`);
    filled += bytesRead;
  }
  return bytes;
}

/** Node's own text of an error in a read does not say which file. */
function unreadable(path: string, error: unknown): unknown {
  const ofSystem = error instanceof Error && (error as NodeJS.ErrnoException).syscall !== undefined;
  return ofSystem ? new Fault(`${path} could not be read`, { cause: error }) : error;
}

function at(path: string, { reason, message }: Refusal): Refusal {
  return refuse(reason, `${path}: ${message}`);
}
