import { persistentMap } from './persistent-map.ts';
import type { Outcome, RoundState } from './round-state.ts';

/**
 * The end: completed, failed or cancelled. Nothing leaves it; published adapters stay, and refused uploads are still deleted. A run that
 * failed or was cancelled keeps its cohort, so that the updates that it acknowledged can be found.
 */
export const settle = (state: RoundState, outcome: Outcome, reason: string, atMs: number): RoundState => ({
  ...state,
  phase: { kind: 'settled', sinceMs: atMs, outcome, reason },
  paused: null,
  tasks: persistentMap(),
  effects: persistentMap([...state.effects].filter(([, effect]) => effect.kind === 'deleteUpload')),
  troubles: new Map(),
});

export const complete = (state: RoundState, atMs: number): RoundState =>
  settle({ ...state, cohort: persistentMap() }, 'completed', `${state.spec.rounds} rounds are published`, atMs);
