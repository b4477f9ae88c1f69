import { withEntry } from './persistent-map.ts';
import type { RoundEffect } from './round-effect.ts';
import { effectId } from './round-effect.ts';
import type { RoundReply } from './round-reply.ts';
import type { RoundState } from './round-state.ts';

/** What one event came to: the state after it (the same object when nothing changed) and what its sender hears. */
export interface Answer {
  readonly state: RoundState;
  readonly reply: RoundReply;
}

export const answer = (state: RoundState, reply: RoundReply): Answer => ({ state, reply });
export const done = (state: RoundState): Answer => answer(state, { kind: 'done' });

/** The effect stays pending until `effectDone`; one that is pending already is not asked for twice. */
export function withEffect(state: RoundState, effect: RoundEffect): RoundState {
  const id = effectId(effect);
  return state.effects.has(id) ? state : { ...state, effects: withEntry(state.effects, id, effect) };
}
