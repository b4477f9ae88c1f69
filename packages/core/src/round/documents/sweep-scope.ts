import {
  adapterPrefix,
  isUpdateFactsObjectName,
  ledgerObjectName,
  manifestObjectName,
  updatesPrefix,
} from '../../object-names.ts';
import { lastRound } from '../published-round.ts';
import type { RoundState } from '../round-state.ts';
import type { AdapterManifest } from './adapter-manifest.ts';
import { acceptedUpdates } from './ledger-of.ts';
import type { RoundLedger } from './round-ledger.ts';

/** Where a sweep looks, and the documents that say what stays: those of the object store, which are right whoever sweeps, and whenever. */
export interface SweepScope {
  readonly prefixes: readonly string[];
  readonly ledgers: readonly string[];
  readonly manifests: readonly string[];
}

/**
 * Of a published round: the attempts at its adapter, and the updates of the round before it, of which no more can come to count: a late
 * one counts in the published round or never. Of the last round its own updates as well.
 */
export function sweepScope(state: RoundState, round: number): SweepScope {
  const { runId } = state.spec;
  const seen = [round - 1, round].filter((n) => n >= 0);
  const closed = seen.filter((n) => n < round || n === lastRound(state));
  return {
    prefixes: [...closed.map((n) => updatesPrefix(runId, n)), adapterPrefix(runId, round)],
    ledgers: seen.map((n) => ledgerObjectName(runId, n)),
    manifests: seen.map((n) => manifestObjectName(runId, n)),
  };
}

/** Of the names under the scope's prefixes, those that no document and no state mentions. An update's facts go with its bytes. */
export function sweptNames(
  state: RoundState,
  names: readonly string[],
  ledgers: readonly RoundLedger[],
  manifests: readonly AdapterManifest[],
): readonly string[] {
  const counted = [...ledgers.flatMap(({ updates }) => updates), ...manifests.flatMap(({ carried }) => carried ?? [])];
  const open = [...acceptedUpdates(state), ...state.carried.values()];
  const kept = new Set([
    ...[...counted, ...open].map(({ objectName }) => objectName),
    ...manifests.flatMap(({ objects }) => objects.map(({ objectName }) => objectName)),
  ]);
  const folders = new Set([...kept].map(folderOf));
  return names.filter((name) => !kept.has(name) && !(isUpdateFactsObjectName(name) && folders.has(folderOf(name))));
}

const folderOf = (objectName: string): string => objectName.slice(0, objectName.lastIndexOf('/') + 1);
