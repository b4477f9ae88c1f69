import { MESSAGE_CHARS_MAX } from '../limits.ts';
import { refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundState } from './round-state.ts';
import { settle } from './settle.ts';

/**
 * A paused run hands out neither assignments nor tasks and starts no round; what is under way is taken, and time goes on: a deadline that
 * passes closes its round, a lease that runs out is lost.
 */
export function onPauseRequested(state: RoundState, event: Extract<RoundEvent, { kind: 'pauseRequested' }>): Answer {
  if (state.phase.kind === 'settled') return hasEnded(state, 'pause');
  if (state.paused !== null) return done(state);
  return done({ ...state, paused: { sinceMs: event.atMs, reason: cutMessage(event.reason) } });
}

export function onResumeRequested(state: RoundState): Answer {
  if (state.phase.kind === 'settled') return hasEnded(state, 'resume');
  return done(state.paused === null ? state : { ...state, paused: null });
}

export function onCancelRequested(state: RoundState, event: Extract<RoundEvent, { kind: 'cancelRequested' }>): Answer {
  if (state.phase.kind !== 'settled') return done(settle(state, 'cancelled', cutMessage(event.reason), event.atMs));
  return state.phase.outcome === 'cancelled' ? done(state) : hasEnded(state, 'cancel');
}

/** Text that somebody sent, as it is kept. */
export const cutMessage = (text: string): string => text.slice(0, MESSAGE_CHARS_MAX).toWellFormed();

const hasEnded = (state: RoundState, request: string): Answer =>
  answer(state, refuse('wrongPhase', `run ${state.spec.runId} has ended: there is nothing to ${request}`));
