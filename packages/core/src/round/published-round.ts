import { worstOf } from './documents/adapter-proof.ts';
import { acceptedUpdates } from './documents/ledger-of.ts';
import type { PublishedManifest } from './round-effect.ts';
import type { PublishedRound, RoundState } from './round-state.ts';

/** What came of a round, for people: kept in the state for the life of the run. */
export function publishedRound(state: RoundState, document: PublishedManifest, atMs: number): PublishedRound {
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
    ...documentFields(document),
    rolledBackTo: null,
    publishedAtMs: atMs,
    updates: updates.length,
    samples,
    trainingLoss: lossSamples === 0 ? null : lossSum / lossSamples,
    rankCounts,
    ...worstOf(results),
  };
}

/** A round of which nothing was summed: an adapter was published again. */
export const republishedRound = (
  { round }: RoundState,
  document: PublishedManifest,
  atMs: number,
  adapter: Pick<PublishedRound, 'energyDroppedMax' | 'residualMax' | 'rolledBackTo'>,
): PublishedRound => ({
  round,
  ...documentFields(document),
  rolledBackTo: adapter.rolledBackTo,
  publishedAtMs: atMs,
  updates: 0,
  samples: 0,
  trainingLoss: null,
  rankCounts: {},
  energyDroppedMax: adapter.energyDroppedMax,
  residualMax: adapter.residualMax,
});

/** The number of the run's last round: each roll-back takes one of its own. */
export function lastRound({ spec, published }: Pick<RoundState, 'spec' | 'published'>): number {
  let rollbacks = known.get(published);
  if (rollbacks === undefined) {
    rollbacks = rollbackCount(published.values());
    known.set(published, rollbacks);
  }
  return spec.rounds + rollbacks;
}

/** Asked for after every event. */
const known = new WeakMap<RoundState['published'], number>();

export function rollbackCount(published: Iterable<Pick<PublishedRound, 'rolledBackTo'>>): number {
  let count = 0;
  for (const { rolledBackTo } of published) if (rolledBackTo !== null) count += 1;
  return count;
}

const documentFields = ({ manifest, adapterDigest, updatesDigest }: PublishedManifest) => ({
  manifest,
  adapterDigest,
  updatesDigest,
});
