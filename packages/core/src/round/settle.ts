import { persistentMap } from './persistent-map.ts';
import type { RoundEffect } from './round-effect.ts';
import type { Outcome, RoundState } from './round-state.ts';

/**
 * The end: completed, failed or cancelled. Only an operator's retry leads out of it, and only of a failed run; published adapters stay, and
 * what was left behind is still swept. A run that failed or was cancelled keeps its cohort, so that the updates that it acknowledged can be found.
 */
export const settle = (state: RoundState, outcome: Outcome, reason: string, atMs: number): RoundState => ({
  ...state,
  phase: { kind: 'settled', sinceMs: atMs, outcome, reason },
  paused: null,
  tasks: persistentMap(),
  effects: persistentMap([...state.effects].filter(([, effect]) => outlivesRun(effect))),
  troubles: new Map([...state.troubles].filter(([id]) => outlivesRun(state.effects.get(id)!))),
});

/** What is performed also after the end: a run that has ended is found in the object store as any other. */
export const outlivesRun = ({ kind }: RoundEffect): boolean =>
  kind === 'writeSpec' || kind === 'writeStanding' || kind === 'sweepRound';

export const complete = (state: RoundState, atMs: number): RoundState =>
  settle({ ...state, cohort: persistentMap() }, 'completed', `${state.round} rounds are published`, atMs);
