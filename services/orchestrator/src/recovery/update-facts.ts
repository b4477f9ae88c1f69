import {
  type AgentId,
  isUpdateFactsObjectName,
  type LedgerUpdate,
  type RunId,
  type StoredUpdate,
  updateFactsObjectName,
  updatesPrefix,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from './parse-document.ts';

/**
 * What a verified update is, beside its bytes: the object of `updateFactsObjectName`. It is written after the bytes were
 * verified and before the round hears of them, and deleted before them, so that it never speaks of bytes that are not there. With it a
 * round that lost its state admits its updates again.
 */
export async function writeUpdateFacts(
  objectStore: ObjectStore,
  agentId: AgentId,
  update: StoredUpdate,
  signal: AbortSignal,
): Promise<void> {
  const facts: LedgerUpdate = { ...update, agentId };
  await objectStore.put(factsNameOf(update.objectName), Buffer.from(JSON.stringify(facts)), signal);
}

function factsNameOf(updateObjectName: string): string {
  const name = updateFactsObjectName(updateObjectName);
  if (name === null) throw new TypeError(`${updateObjectName} is no update's name: a bug`);
  return name;
}

/** An update, or the object of an attempt at a task, which has no facts. */
export async function deleteUpdate(objectStore: ObjectStore, objectName: string): Promise<void> {
  await deleteUpdateFacts(objectStore, objectName);
  await objectStore.delete(objectName);
}

export async function deleteUpdateFacts(objectStore: ObjectStore, objectName: string): Promise<void> {
  const facts = updateFactsObjectName(objectName);
  if (facts !== null) await objectStore.delete(facts);
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
    if (!isUpdateFactsObjectName(name)) continue;
    const bytes = await objectStore.get(name, undefined, signal);
    if (bytes === null) continue;
    const facts = parseDocument<LedgerUpdate>(name, bytes);
    const object = await objectStore.head(facts.objectName, signal);
    if (object?.bytes === facts.bytes && !byAgent.has(facts.agentId)) byAgent.set(facts.agentId, facts);
  }
  return [...byAgent.values()].sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
}
