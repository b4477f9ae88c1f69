import { withEffect } from './answer.ts';
import { canonicalJson } from './documents/canonical-json.ts';
import { type RunStanding, standingOf } from './documents/run-standing.ts';
import { withoutEntry } from './persistent-map.ts';
import { revive } from './retry-round.ts';
import { effectId } from './round-effect.ts';
import type { RoundState } from './round-state.ts';
import { settle } from './settle.ts';

/** Asks for a new document when what it says has changed. */
export function noteStanding(before: RunStanding, after: RoundState): RoundState {
  const { sequence: _, ...now } = standingOf(after);
  const { paused, settled } = before;
  return canonicalJson(now) === canonicalJson({ paused, settled }) ? after : withNextStanding(after);
}

/**
 * The sequence is taken by a document of a history that the round store lost. A run that was cancelled there stays cancelled; otherwise
 * what this state knows is the operators' newest word.
 */
export function onStandingFound(state: RoundState, found: RunStanding, atMs: number): RoundState {
  const sequence = Math.max(state.standingSequence, found.sequence);
  if (found.settled?.outcome === 'cancelled' && state.phase.kind !== 'settled')
    return { ...settle(state, 'cancelled', found.settled.reason, atMs), standingSequence: sequence };
  return withNextStanding({ ...state, standingSequence: sequence });
}

/** What the newest document says, of a state that was made from the object store. A completed run is known by its rounds. */
export function adoptStanding(state: RoundState, { sequence, paused, settled }: RunStanding, atMs: number): RoundState {
  const adopted: RoundState = { ...withoutPending(state), standingSequence: sequence };
  if (state.phase.kind === 'settled') {
    const wasRetried = state.phase.outcome === 'failed' && settled === null;
    return wasRetried ? { ...revive(adopted, atMs), paused } : adopted;
  }
  if (settled !== null && settled.outcome !== 'completed')
    return settle(adopted, settled.outcome, settled.reason, atMs);
  return { ...adopted, paused };
}

function withNextStanding(state: RoundState): RoundState {
  const sequence = state.standingSequence + 1;
  return withEffect({ ...withoutPending(state), standingSequence: sequence }, { kind: 'writeStanding', sequence });
}

/** A document that was overtaken is not written any more. */
function withoutPending(state: RoundState): RoundState {
  const id = effectId({ kind: 'writeStanding', sequence: state.standingSequence });
  return {
    ...state,
    effects: withoutEntry(state.effects, id),
    troubles: new Map([...state.troubles].filter(([each]) => each !== id)),
  };
}
