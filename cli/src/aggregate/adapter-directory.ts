import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createFiniteScanner,
  type FactorEntry,
  type FactorSide,
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
import { CONFIG_BYTES_MAX, ENDS_BYTES, READ_BYTES } from './limits.ts';

export const WEIGHTS_FILE = 'adapter_model.safetensors';
export const CONFIG_FILE = 'adapter_config.json';

const FACTOR_SIDES: readonly FactorSide[] = ['b', 'a'];
/** A named pipe that took the file's place meanwhile would else wait for somebody who writes to it. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A PEFT adapter whose configuration and header were read and agree; of its tensors nothing is in memory. */
export interface AdapterDirectory {
  readonly directory: string;
  readonly weightsPath: string;
  readonly config: PeftConfig;
  /** SHA-256 of the configuration, the header, and `ENDS_BYTES` at either end of the data. */
  readonly endsDigest: string;
  readonly modules: ReadonlyMap<ModuleName, ModuleFactorEntries>;
}

/** The factors of one module of one adapter. */
export type ModuleFactors = Readonly<Record<FactorSide, RawFactor>>;

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
  const weights = await withFile(weightsPath, readEnds);
  if (isRefusal(weights)) return weights;
  const { modules, head, tail } = weights;
  for (const { name, rank, a } of modules.values()) {
    const configured = peftModuleRank(config, name);
    if (rank === configured) continue;
    return refuse(
      'rankOutOfRange',
      `${weightsPath}: rank of ${a.tensor} is ${rank}; ${CONFIG_FILE} says ${configured}: correct r or rank_pattern there, because the scaling follows from it`,
    );
  }
  const endsDigest = createHash('sha256')
    .update(`${configBytes.byteLength} ${head.byteLength}\n`)
    .update(configBytes)
    .update(head)
    .update(tail)
    .digest('hex');
  return { directory, weightsPath, config, endsDigest, modules };
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

interface WeightsEnds {
  readonly modules: ReadonlyMap<ModuleName, ModuleFactorEntries>;
  /** The header and the first bytes of the data. */
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

async function readEnds(file: FileHandle, size: number): Promise<WeightsEnds | Refusal> {
  const start = await readAt(file, 0, Math.min(SAFETENSORS_LENGTH_BYTES, size));
  if (isRefusal(start)) return start;
  const dataAt = safetensorsDataAt(start);
  if (isRefusal(dataAt)) return dataAt;
  const head = await readAt(file, 0, Math.min(dataAt + ENDS_BYTES, size));
  if (isRefusal(head)) return head;
  const header = parseSafetensorsHeader(head, size);
  if (isRefusal(header)) return header;
  const modules = readFactorEntries(header);
  if (isRefusal(modules)) return modules;
  const tail = await readAt(file, Math.max(dataAt, size - ENDS_BYTES), size);
  return isRefusal(tail) ? tail : { modules, head, tail };
}

/**
 * The two factors of one module: nothing else of the file is read. Where they lie side by side, as `save_pretrained` leaves them, they are one
 * read into one buffer of their own.
 */
export async function readModuleFactors(
  { weightsPath, modules }: AdapterDirectory,
  name: ModuleName,
): Promise<ModuleFactors | Refusal> {
  const { b, a } = modules.get(name)!;
  return withOpenFile(weightsPath, async (file) => {
    const [first, second] = a.begin < b.begin ? [a, b] : [b, a];
    if (first.end !== second.begin) {
      const bytes = { b: await readAt(file, b.begin, b.end), a: await readAt(file, a.begin, a.end) };
      if (isRefusal(bytes.b)) return bytes.b;
      if (isRefusal(bytes.a)) return bytes.a;
      return { b: rawFactor(b, bytes.b), a: rawFactor(a, bytes.a) };
    }
    const bytes = await readAt(file, first.begin, second.end);
    if (isRefusal(bytes)) return bytes;
    const of = (entry: FactorEntry) =>
      rawFactor(entry, bytes.subarray(entry.begin - first.begin, entry.end - first.begin));
    return { b: of(b), a: of(a) };
  });
}

function rawFactor({ dtype, rows, cols }: FactorEntry, bytes: Uint8Array): RawFactor {
  return { dtype, rows, cols, bytes };
}

/** Null, or where a factor of this module holds NaN or infinity. */
export async function checkModuleNumbers(
  adapter: AdapterDirectory,
  name: ModuleName,
  readFactors: typeof readModuleFactors = readModuleFactors,
): Promise<Refusal | null> {
  const factors = await readFactors(adapter, name);
  if (isRefusal(factors)) return factors;
  const entries = adapter.modules.get(name)!;
  for (const side of FACTOR_SIDES) {
    const scanner = createFiniteScanner();
    scanner.begin(factors[side].dtype);
    const index = scanner.push(factors[side].bytes);
    if (index === null) continue;
    const { tensor, cols } = entries[side];
    return refuse(
      'notFinite',
      `${adapter.weightsPath}: tensor ${tensor} holds NaN or infinity at index ${index} (row ${Math.floor(index / cols)}, column ${index % cols}); allowed: finite numbers: training diverged, train again at a smaller learning rate, or leave this adapter out`,
    );
  }
  return null;
}

/** What of an adapter's bytes a digest covers. */
export type DigestExtent = 'ends' | 'whole';

/**
 * SHA-256 of the samples, the configuration, the header and, by the extent, `ENDS_BYTES` at either end of the data, which were read with the
 * header, or all of it, which is read here.
 */
export async function digestAdapter(
  { weightsPath, endsDigest }: AdapterDirectory,
  samples: number,
  signal: AbortSignal | undefined,
  extent: DigestExtent = 'ends',
): Promise<string | Refusal> {
  const hash = createHash('sha256').update(`${samples} ${endsDigest}\n`);
  switch (extent) {
    case 'ends':
      return hash.digest('hex');
    case 'whole':
      return withOpenFile(weightsPath, async (file) => {
        for await (const chunk of chunksOf(file)) {
          signal?.throwIfAborted();
          hash.update(chunk);
        }
        return hash.digest('hex');
      });
  }
}

/** A whole file, in its order. A chunk is valid until the next one is asked for. */
async function* chunksOf(file: FileHandle): AsyncGenerator<Uint8Array, void, void> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function withFile<Value>(
  path: string,
  read: (file: FileHandle, size: number) => Promise<Value | Refusal>,
): Promise<Value | Refusal> {
  try {
    const found = await stat(path);
    if (!found.isFile()) {
      const what = found.isDirectory() ? 'is a directory' : 'is neither a file nor a directory';
      return refuse('badFile', `${path}: ${what}; allowed: a file: save the adapter with peft_model.save_pretrained`);
    }
    return await withOpenFile(path, (file) => read(file, found.size));
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** What it was when its header was read is not looked at again. */
async function withOpenFile<Value>(
  path: string,
  read: (file: FileHandle) => Promise<Value | Refusal>,
): Promise<Value | Refusal> {
  try {
    const file = await open(path, OPEN_FLAGS);
    try {
      const value = await read(file);
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
