import type { Outcome, RoundState } from '../round-state.ts';

/**
 * What the rounds in the object store do not say of a run: that an operator holds it, and how it ended. A document of its own is written
 * at each change, with the next sequence; the highest counts.
 */
export interface RunStanding {
  readonly sequence: number;
  readonly paused: { readonly sinceMs: number; readonly reason: string } | null;
  readonly settled: { readonly outcome: Outcome; readonly reason: string; readonly atMs: number } | null;
}

export const standingOf = ({ standingSequence, paused, phase }: RoundState): RunStanding => ({
  sequence: standingSequence,
  paused,
  settled: phase.kind === 'settled' ? { outcome: phase.outcome, reason: phase.reason, atMs: phase.sinceMs } : null,
});
