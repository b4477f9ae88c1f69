import { sortedEntries } from '../persistent-map.ts';
import type { RoundState } from '../round-state.ts';
import type { LedgerUpdate, RoundLedger } from './round-ledger.ts';

/** The ledger of the open round: its accepted updates and nothing else. */
export function ledgerOf(state: RoundState): RoundLedger {
  const updates = acceptedUpdates(state);
  return {
    version: 1,
    runId: state.spec.runId,
    round: state.round,
    samples: updates.reduce((sum, { samples }) => sum + samples, 0),
    updates,
  };
}

/** `carried` of a manifest: what the next round owes, or nothing. */
export function carriedUpdates({ carried }: RoundState): { readonly carried?: readonly LedgerUpdate[] } {
  if (carried.size === 0) return {};
  return { carried: sortedEntries(carried).map(([agentId, update]) => ({ ...update, agentId })) };
}

/** By ascending agent id. */
export const acceptedUpdates = (state: RoundState): readonly LedgerUpdate[] =>
  sortedEntries(state.cohort).flatMap(([agentId, { progress }]) =>
    progress.kind === 'accepted' ? [{ ...progress.update, agentId }] : [],
  );
