import { compareKeys } from '../persistent-map.ts';
import type { LatePolicy } from '../run-spec.ts';
import type { AdapterManifest } from './adapter-manifest.ts';
import type { LedgerUpdate, RoundLedger } from './round-ledger.ts';

/** What the object store holds of the rounds around an open one that has no ledger yet. */
export interface StoredRounds {
  /** The round before the open one. Its facts are looked at only in a run that carries late updates over. */
  readonly last: {
    readonly manifest: Pick<AdapterManifest, 'round' | 'carried'>;
    readonly ledger: Pick<RoundLedger, 'updates'> | null;
    readonly facts: readonly LedgerUpdate[];
  };
  /** The facts of the open round's updates. */
  readonly facts: readonly LedgerUpdate[];
}

/**
 * The updates that count in the open round, as far as the object store knows: those that the last manifest carries over, those that were
 * verified for the round, and, where late ones are carried over, those of the last round that are not in its ledger. One an agent, the
 * first of these; ascending by agent. For a recovery, and for reconciliation before the round closes.
 */
export function updatesOwed(late: LatePolicy, { last, facts }: StoredRounds): readonly LedgerUpdate[] {
  const summed = new Set(last.ledger?.updates.map(({ objectName }) => objectName));
  const belated =
    late === 'carry'
      ? last.facts
          .filter(({ objectName }) => !summed.has(objectName))
          .map((update) => ({ ...update, trainedIn: last.manifest.round }))
      : [];
  const byAgent = new Map<string, LedgerUpdate>();
  for (const update of [...(last.manifest.carried ?? []), ...facts, ...belated]) {
    if (!byAgent.has(update.agentId)) byAgent.set(update.agentId, update);
  }
  return [...byAgent.values()].sort((a, b) => compareKeys(a.agentId, b.agentId));
}
