import {
  checkFactorEntries,
  isRefusal,
  type LedgerUpdate,
  type ModuleFactorEntries,
  type ModuleName,
  type ModuleSpec,
  parseSafetensorsHeader,
  type Refusal,
  readUpdateEntries,
  refuse,
  safetensorsDataAt,
  type UpdateEntries,
  type UpdateFactorEntry,
} from '@flexlora/core';
import type { HeaderCache } from './header-cache.ts';
import { HEADER_READ_BYTES } from './limits.ts';
import type { ObjectReader } from './object-reader.ts';

/** One update of the ledger and where its factors of the task's modules lie. */
export interface UpdateFactors {
  readonly update: LedgerUpdate;
  readonly modules: UpdateEntries;
}

/** Reads an update's header alone, where no task has before, and keeps what the task needs of it. */
export async function locateUpdateFactors(
  { reader, headers }: { readonly reader: ObjectReader; readonly headers: HeaderCache },
  update: LedgerUpdate,
  modules: readonly ModuleSpec[],
  signal: AbortSignal,
): Promise<UpdateFactors | Refusal> {
  const known = headers.find(update.digest);
  const header = known ?? (await readHeader(reader, update, signal));
  if (isRefusal(header)) return ofUpdate(update, header);
  if (known === null) headers.keep(update.digest, header);
  const entries = entriesOf(header, update.bytes);
  if (isRefusal(entries)) return ofUpdate(update, entries);
  const kept = new Map<ModuleName, ModuleFactorEntries<UpdateFactorEntry>>();
  for (const { name } of modules) {
    const found = entries.get(name);
    if (found !== undefined) kept.set(name, found);
  }
  // Ranks and format were held against the assignment when the update was accepted; what the sum needs here are modules and shapes.
  const expected = modules.map((module) => ({ ...module, rank: kept.get(module.name)?.rank ?? 0 }));
  const problem = checkFactorEntries(kept, expected);
  return problem === null ? { update, modules: kept } : ofUpdate(update, problem);
}

/** The bytes before the first tensor's. */
async function readHeader(
  reader: ObjectReader,
  { objectName, bytes: fileBytes }: LedgerUpdate,
  signal: AbortSignal,
): Promise<Uint8Array | Refusal> {
  const readBytes = Math.min(fileBytes, HEADER_READ_BYTES);
  const start = await reader.range(objectName, 0, readBytes, signal);
  const dataAt = safetensorsDataAt(start);
  if (isRefusal(dataAt)) return dataAt;
  if (dataAt > readBytes && dataAt <= fileBytes) return reader.range(objectName, 0, dataAt, signal);
  return start.subarray(0, dataAt);
}

function entriesOf(bytes: Uint8Array, fileBytes: number): UpdateEntries | Refusal {
  const header = parseSafetensorsHeader(bytes, fileBytes);
  return isRefusal(header) ? header : readUpdateEntries(header);
}

const ofUpdate = ({ agentId, objectName }: LedgerUpdate, { reason, message }: Refusal): Refusal =>
  refuse(reason, `the update of ${agentId} (${objectName}): ${message}`);
