import { withEffect } from './answer.ts';
import { releaseMembers } from './close-round.ts';
import { countUpdate } from './count-update.ts';
import { persistentMap, sortedEntries } from './persistent-map.ts';
import { lastRound, publishedRound, republishedRound } from './published-round.ts';
import type { RoundEffectOutcome } from './round-effect.ts';
import type { PublishedRound, RoundState } from './round-state.ts';
import { complete } from './settle.ts';

type Published = Extract<RoundEffectOutcome, { kind: 'manifestPublished' | 'forkPublished' }>;

/** The round's manifest stands in the object store: the next one begins, or the run is completed. */
export function onManifestPublished(state: RoundState, outcome: Published, atMs: number): RoundState {
  const summary = summaryOf(state, outcome, atMs);
  if (summary === null) return state;
  const swept = withEffect(state, { kind: 'sweepRound', round: state.round });
  const published = new Map([...state.published, [state.round, summary]]);
  return beginRound({ ...releaseMembers(swept), published, tasks: persistentMap() }, atMs);
}

/** The round after the last published one, with what is carried over into it. */
export function beginRound(state: RoundState, atMs: number): RoundState {
  const round = state.published.size;
  const last = lastRound(state);
  if (round > last) return complete({ ...state, round: last }, atMs);
  const open: RoundState = {
    ...state,
    round,
    carried: persistentMap(),
    phase: { kind: 'recruiting', sinceMs: atMs, startsAtMs: null, reopened: 0 },
  };
  return sortedEntries(state.carried).reduce(
    (next, [agentId, update]) => countUpdate(next, { ...update, agentId }, atMs),
    open,
  );
}

function summaryOf(state: RoundState, outcome: Published, atMs: number): PublishedRound | null {
  const { phase } = state;
  if (phase.kind !== 'aggregating') return null;
  switch (outcome.kind) {
    case 'forkPublished':
      return phase.stage.kind === 'forking'
        ? republishedRound(state, outcome, atMs, { ...outcome, rolledBackTo: null })
        : null;
    case 'manifestPublished':
      if (phase.stage.kind === 'publishing') return publishedRound(state, outcome, atMs);
      if (phase.stage.kind !== 'rollingBack') return null;
      return republishedRound(state, outcome, atMs, {
        ...state.published.get(phase.stage.to)!,
        rolledBackTo: phase.stage.to,
      });
  }
}
