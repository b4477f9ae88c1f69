import { ROLLBACKS_MAX } from '../limits.ts';
import { refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
import { reconcile } from './close-round.ts';
import { lastRound } from './published-round.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundState } from './round-state.ts';

/**
 * History is only added to: the open round publishes an earlier adapter again, and the run gets one round more. Members that still work
 * are released, as at the end of any round; what was accepted counts in the next one.
 */
export function onRollbackRequested(
  state: RoundState,
  { toRound, atMs }: Extract<RoundEvent, { kind: 'rollbackRequested' }>,
): Answer {
  const { phase, round, spec } = state;
  if (phase.kind !== 'recruiting' && phase.kind !== 'collecting') {
    return answer(
      state,
      refuse(
        'wrongPhase',
        phase.kind === 'settled'
          ? `run ${spec.runId} has ended: fork it from round ${toRound} to go on from there`
          : `round ${round} of run ${spec.runId} is being aggregated: roll back when it is published`,
      ),
    );
  }
  if (!(Number.isInteger(toRound) && toRound >= 0 && toRound < round - 1)) {
    const allowed =
      round < 2 ? 'none yet, the run has published one adapter' : `0 to ${round - 2}, those before the newest`;
    return answer(state, refuse('unknownRound', `to_round is ${toRound}; allowed: ${allowed}`));
  }
  if (lastRound(state) - spec.rounds >= ROLLBACKS_MAX) {
    return answer(
      state,
      refuse(
        'badNumber',
        `run ${spec.runId} was rolled back ${ROLLBACKS_MAX} times, as often as it may: fork it from round ${toRound}`,
      ),
    );
  }
  return done(reconcile(state, toRound, atMs));
}
