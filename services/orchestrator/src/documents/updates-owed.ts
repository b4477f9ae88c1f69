import { type AgentId, type LedgerUpdate, type RunSpec, updatesOwed, updatesPrefix } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { DamagedDocument } from './parse-document.ts';
import { readLedger, readManifest } from './published-rounds.ts';
import { readRoundFacts } from './update-facts.ts';

/**
 * The updates that count in the open round as far as the object store knows (`updatesOwed` of the core). `isKnown` leaves out agents whose
 * update of the open round is known.
 */
export async function readUpdatesOwed(
  objectStore: ObjectStore,
  { runId, cohort: { late } }: RunSpec,
  round: number,
  signal: AbortSignal,
  isKnown: (agentId: AgentId) => boolean = () => false,
): Promise<readonly LedgerUpdate[]> {
  const manifest = await readManifest(objectStore, runId, round - 1, signal);
  if (manifest === null)
    throw new DamagedDocument(
      `the manifest of round ${round - 1} of run ${runId} is gone; allowed: every published round's: restore it from a backup`,
    );
  const ledger = manifest.ledger === null ? null : await readLedger(objectStore, runId, round - 1, signal);
  const ownFolder = (agentId: AgentId): string => `${updatesPrefix(runId, round - 1)}${agentId}/`;
  // What was summed in its own round is not late.
  const summed = new Set(
    (ledger?.updates ?? [])
      .filter(({ agentId, objectName }) => objectName.startsWith(ownFolder(agentId)))
      .map(({ agentId }) => agentId),
  );
  const isSettled = (agentId: AgentId): boolean => isKnown(agentId) || summed.has(agentId);
  const [lastFacts, facts] = await Promise.all([
    late === 'carry' ? readRoundFacts(objectStore, { runId, round: round - 1 }, signal, isSettled) : [],
    readRoundFacts(objectStore, { runId, round }, signal, isKnown),
  ]);
  const owed = updatesOwed(late, { last: { manifest, ledger, facts: lastFacts }, facts });
  return owed.filter(({ agentId }) => !isKnown(agentId));
}
