import { acceptedUpdates } from './documents/ledger-of.ts';
import type { AdapterDigests } from './round-effect.ts';
import type { ModuleResult, PublishedRound, RoundState, StoredDocument } from './round-state.ts';

export type PublishedManifest = { readonly manifest: StoredDocument } & AdapterDigests;

/** What came of a round, for people: kept in the state for the life of the run. */
export function publishedRound(
  state: RoundState,
  { manifest, adapterDigest, updatesDigest }: PublishedManifest,
  atMs: number,
): PublishedRound {
  const updates = acceptedUpdates(state);
  const firstGroup = state.spec.modules[0]!.rankGroup;
  const rankCounts: Record<string, number> = {};
  let samples = 0;
  let lossSum = 0;
  let lossSamples = 0;
  for (const update of updates) {
    const rank = String(update.ranks[firstGroup]);
    rankCounts[rank] = (rankCounts[rank] ?? 0) + 1;
    samples += update.samples;
    if (update.loss === null) continue;
    lossSum += update.loss * update.samples;
    lossSamples += update.samples;
  }
  const results = [...state.tasks.values()].flatMap(({ progress }) =>
    progress.kind === 'done' ? progress.result.modules : [],
  );
  return {
    round: state.round,
    manifest,
    adapterDigest,
    updatesDigest,
    publishedAtMs: atMs,
    updates: updates.length,
    samples,
    trainingLoss: lossSamples === 0 ? null : lossSum / lossSamples,
    rankCounts,
    energyDroppedMax: results.reduce((max, result) => Math.max(max, energyDropped(result)), 0),
    residualMax: results.reduce((max, { residual }) => Math.max(max, residual), 0),
  };
}

/** Share of ‖W‖² that truncation dropped; rounding may make the kept energy a little larger than the whole. */
const energyDropped = ({ energyKept, energyTotal }: ModuleResult): number =>
  energyTotal === 0 ? 0 : Math.max(0, 1 - energyKept / energyTotal);
