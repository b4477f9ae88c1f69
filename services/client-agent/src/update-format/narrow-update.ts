import {
  convertFactor,
  type FactorDtype,
  isRefusal,
  peftTensorName,
  type RawFactor,
  type Refusal,
  type UpdateEntries,
  type UpdateFactorEntry,
} from '@flexlora/core';
import type { AgentDisk } from '../disk/agent-disk.ts';
import { createTensorFile, type TensorReader } from './tensor-file.ts';

/** A trainer's file that is open, where its factors lie in it, and the file to make of it. */
export interface Conversion {
  readonly trained: TensorReader;
  readonly modules: UpdateEntries;
  readonly to: string;
  readonly signal: AbortSignal;
}

/** Writes every factor in one type, one at a time. @returns null, or a refusal of a number that the type cannot hold. */
export async function narrowUpdate(
  disk: AgentDisk,
  { trained, modules, to, signal }: Conversion,
  dtype: FactorDtype,
): Promise<null | Refusal> {
  const factors = [...modules.values()].flatMap(({ name, b, a }) => [
    { name: peftTensorName(name, 'a'), entry: a },
    { name: peftTensorName(name, 'b'), entry: b },
  ]);
  const file = await createTensorFile(
    disk,
    to,
    factors.map(({ name, entry }) => ({ name, dtype, shape: [entry.rows, entry.cols] })),
  );
  try {
    for (const { name, entry } of factors) {
      const converted = convertFactor(await readTrained(trained, entry), dtype, name);
      if (isRefusal(converted)) return converted;
      await file.write(name, converted.bytes);
      signal.throwIfAborted();
    }
  } finally {
    await file.close();
  }
  return null;
}

/** A factor of a file that was checked: no trainer writes 8-bit integers. */
export async function readTrained(trained: TensorReader, entry: UpdateFactorEntry): Promise<RawFactor> {
  const { tensor, dtype, rows, cols } = entry;
  if (dtype === 'I8') throw new Error(`tensor ${tensor} is I8, and was taken as trained`);
  return { dtype, rows, cols, bytes: await trained.read(entry) };
}
