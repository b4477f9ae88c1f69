import { type AgentId, type LedgerUpdate, type RunId, type StoredUpdate, updatesPrefix } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from './parse-document.ts';

/**
 * What a verified update is, beside its bytes: `<attempt>.json` next to `<attempt>.safetensors`. It is written after the bytes were
 * verified and before the round hears of them, and deleted before them, so that it never speaks of bytes that are not there. With it a
 * round that lost its state admits its updates again.
 */
export const factsObjectName = (updateObjectName: string): string =>
  `${updateObjectName.slice(0, -UPDATE_SUFFIX.length)}${FACTS_SUFFIX}`;

const UPDATE_SUFFIX = '.safetensors';
const FACTS_SUFFIX = '.json';

export async function writeUpdateFacts(
  objectStore: ObjectStore,
  agentId: AgentId,
  update: StoredUpdate,
  signal: AbortSignal,
): Promise<void> {
  const facts: LedgerUpdate = { ...update, agentId };
  await objectStore.put(factsObjectName(update.objectName), Buffer.from(JSON.stringify(facts)), signal);
}

export async function deleteUpdate(objectStore: ObjectStore, objectName: string): Promise<void> {
  await objectStore.delete(factsObjectName(objectName));
  await objectStore.delete(objectName);
}

/** The verified updates of a round, one an agent, ascending by agent. */
export async function readUpdateFacts(
  objectStore: ObjectStore,
  runId: RunId,
  round: number,
  signal: AbortSignal,
): Promise<readonly LedgerUpdate[]> {
  const byAgent = new Map<AgentId, LedgerUpdate>();
  for await (const { name } of objectStore.list(updatesPrefix(runId, round), signal)) {
    if (!name.endsWith(FACTS_SUFFIX)) continue;
    const bytes = await objectStore.get(name, undefined, signal);
    if (bytes === null) continue;
    const facts = parseDocument<LedgerUpdate>(name, bytes);
    const object = await objectStore.head(facts.objectName, signal);
    if (object?.bytes === facts.bytes && !byAgent.has(facts.agentId)) byAgent.set(facts.agentId, facts);
  }
  return [...byAgent.values()].sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
}
