import {
  checkFactorEntries,
  isRefusal,
  type LedgerUpdate,
  type ModuleFactorEntries,
  type ModuleName,
  type ModuleSpec,
  parseSafetensorsHeader,
  type Refusal,
  readFactorEntries,
  refuse,
  safetensorsDataAt,
} from '@flexlora/core';
import { HEADER_READ_BYTES } from './limits.ts';
import type { ObjectReader } from './object-reader.ts';

/** One update of the ledger and where its factors of the task's modules lie. */
export interface UpdateFactors {
  readonly update: LedgerUpdate;
  readonly modules: ReadonlyMap<ModuleName, ModuleFactorEntries>;
}

/** Reads an update's header alone, and keeps what the task needs of it. */
export async function locateUpdateFactors(
  reader: ObjectReader,
  update: LedgerUpdate,
  modules: readonly ModuleSpec[],
  signal: AbortSignal,
): Promise<UpdateFactors | Refusal> {
  const entries = await readEntries(reader, update, signal);
  if (isRefusal(entries)) return ofUpdate(update, entries);
  const kept = new Map<ModuleName, ModuleFactorEntries>();
  for (const { name } of modules) {
    const found = entries.get(name);
    if (found !== undefined) kept.set(name, found);
  }
  // Ranks were held against the assignment when the update was accepted; what the sum needs here are modules and shapes.
  const expected = modules.map((module) => ({ ...module, rank: kept.get(module.name)?.rank ?? 0 }));
  const problem = checkFactorEntries(kept, expected);
  return problem === null ? { update, modules: kept } : ofUpdate(update, problem);
}

async function readEntries(
  reader: ObjectReader,
  { objectName, bytes: fileBytes }: LedgerUpdate,
  signal: AbortSignal,
): Promise<ReadonlyMap<ModuleName, ModuleFactorEntries> | Refusal> {
  const readBytes = Math.min(fileBytes, HEADER_READ_BYTES);
  let start = await reader.range(objectName, 0, readBytes, signal);
  const dataAt = safetensorsDataAt(start);
  if (isRefusal(dataAt)) return dataAt;
  if (dataAt > readBytes && dataAt <= fileBytes) start = await reader.range(objectName, 0, dataAt, signal);
  const header = parseSafetensorsHeader(start, fileBytes);
  return isRefusal(header) ? header : readFactorEntries(header);
}

const ofUpdate = ({ agentId, objectName }: LedgerUpdate, { reason, message }: Refusal): Refusal =>
  refuse(reason, `the update of ${agentId} (${objectName}): ${message}`);
