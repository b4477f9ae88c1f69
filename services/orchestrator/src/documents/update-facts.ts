import {
  type AgentId,
  isUpdateFactsObjectName,
  type LedgerUpdate,
  parseSha256,
  type RunId,
  updateFactsObjectName,
  updatesPrefix,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import pMap from 'p-map';
import { OBJECTS_AT_ONCE_MAX } from '../limits.ts';
import { DamagedDocument, parseDocument } from './parse-document.ts';

/**
 * What a verified update is, beside its bytes: one object an agent and round, and the first that was verified stands. With it the object
 * store holds the update: it is written before the round hears of the update, so that whatever was acknowledged is found here, and
 * nothing deletes it while the round is open.
 */
export async function keepFacts(
  objectStore: ObjectStore,
  { runId, round }: { readonly runId: RunId; readonly round: number },
  facts: LedgerUpdate,
  signal: AbortSignal,
): Promise<LedgerUpdate> {
  const name = updateFactsObjectName(runId, round, facts.agentId);
  const bytes = Buffer.from(JSON.stringify(facts));
  if ((await objectStore.putIfAbsent(name, bytes, signal)) === 'written') return facts;
  const kept = await readFacts(objectStore, name, signal);
  if (kept !== null) return kept;
  await objectStore.put(name, bytes, signal);
  return facts;
}

/** Takes the place of facts that the round will not have. */
export const replaceFacts = (
  objectStore: ObjectStore,
  { runId, round }: { readonly runId: RunId; readonly round: number },
  facts: LedgerUpdate,
  signal: AbortSignal,
): Promise<void> =>
  objectStore.put(updateFactsObjectName(runId, round, facts.agentId), Buffer.from(JSON.stringify(facts)), signal);

/** The facts of one agent's update in a round; null: the object store holds none. */
export const readAgentFacts = (
  objectStore: ObjectStore,
  { runId, round, agentId }: { readonly runId: RunId; readonly round: number; readonly agentId: AgentId },
  signal: AbortSignal,
): Promise<LedgerUpdate | null> => readFacts(objectStore, updateFactsObjectName(runId, round, agentId), signal);

/** The verified updates of a round, one an agent, ascending by agent; `isKnown` leaves agents out whose update need not be read. */
export async function readRoundFacts(
  objectStore: ObjectStore,
  { runId, round }: { readonly runId: RunId; readonly round: number },
  signal: AbortSignal,
  isKnown: (agentId: AgentId) => boolean = () => false,
): Promise<readonly LedgerUpdate[]> {
  const prefix = updatesPrefix(runId, round);
  const names: string[] = [];
  for await (const { name } of objectStore.list(prefix, signal)) {
    const agentId = name.slice(prefix.length).split('/')[0] as AgentId;
    if (isUpdateFactsObjectName(name) && !isKnown(agentId)) names.push(name);
  }
  const read = await pMap(names, (name) => readFacts(objectStore, name, signal), { concurrency: OBJECTS_AT_ONCE_MAX });
  const byAgent = new Map<AgentId, LedgerUpdate>();
  // Programs before this one wrote an object of facts for each attempt: one an agent is enough.
  for (const facts of read) if (facts !== null && !byAgent.has(facts.agentId)) byAgent.set(facts.agentId, facts);
  return [...byAgent.values()].sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
}

/**
 * Null where there are none that anybody could go by: no object, one that is damaged, or one whose update is gone. The agent then sends its
 * update again, and the rest of the round does not wait for one document.
 */
async function readFacts(objectStore: ObjectStore, name: string, signal: AbortSignal): Promise<LedgerUpdate | null> {
  const bytes = await objectStore.get(name, undefined, signal);
  if (bytes === null) return null;
  const facts = parseFacts(name, bytes);
  if (facts === null) return null;
  const object = await objectStore.head(facts.objectName, signal);
  return object?.bytes === facts.bytes ? facts : null;
}

function parseFacts(name: string, bytes: Uint8Array): LedgerUpdate | null {
  try {
    const facts = parseDocument<Partial<LedgerUpdate>>(name, bytes);
    const { agentId, objectName, digest, ranks } = facts;
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    const isWhole =
      typeof objectName === 'string' &&
      objectName.startsWith(folder) &&
      folder.endsWith(`/${agentId}/`) &&
      typeof digest === 'string' &&
      typeof parseSha256('sha256', digest) === 'string' &&
      typeof ranks === 'object' &&
      ranks !== null;
    return isWhole ? (facts as LedgerUpdate) : null;
  } catch (error) {
    if (error instanceof DamagedDocument) return null;
    throw error;
  }
}
