import { TROUBLES_MAX } from '../limits.ts';
import { refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
import { onLedgerFound, onLedgerWritten, onUpdatesReconciled } from './close-round.ts';
import { onManifestPublished } from './next-round.ts';
import { cutMessage } from './operator-requests.ts';
import { withoutEntry } from './persistent-map.ts';
import type { RoundEffect, RoundEffectOutcome } from './round-effect.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundState } from './round-state.ts';
import { onStandingFound } from './standing.ts';

const OUTCOMES_OF: Readonly<Record<RoundEffect['kind'], readonly RoundEffectOutcome['kind'][]>> = {
  writeSpec: ['specWritten'],
  reconcileUpdates: ['updatesReconciled'],
  writeLedger: ['ledgerWritten', 'ledgerFound'],
  publishManifest: ['manifestPublished'],
  publishRollback: ['manifestPublished'],
  publishFork: ['forkPublished'],
  sweepRound: ['roundSwept'],
  writeStanding: ['standingWritten', 'standingFound'],
};

/** What was said last of an effect's troubles is what people read; an effect that is done by now has none. */
export function onEffectTroubled(
  state: RoundState,
  { effectId, reason, attempts, atMs }: Extract<RoundEvent, { kind: 'effectTroubled' }>,
): Answer {
  const known = state.troubles.get(effectId);
  if (!state.effects.has(effectId) || (known === undefined && state.troubles.size >= TROUBLES_MAX)) return done(state);
  const trouble = { sinceMs: known?.sinceMs ?? atMs, reason: cutMessage(reason), attempts };
  if (known !== undefined && known.reason === trouble.reason && known.attempts === attempts) return done(state);
  return done({ ...state, troubles: new Map([...state.troubles, [effectId, trouble]]) });
}

const without = <K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> =>
  new Map([...map].filter(([each]) => each !== key));

/** Two lease-holders may perform one effect: the second report finds it gone, which is fine. */
export function onEffectDone(
  state: RoundState,
  { effectId, outcome, atMs }: Extract<RoundEvent, { kind: 'effectDone' }>,
): Answer {
  const effect = state.effects.get(effectId);
  if (effect === undefined) return done(state);
  const allowed = OUTCOMES_OF[effect.kind];
  if (!allowed.includes(outcome.kind)) {
    return answer(
      state,
      refuse('wrongPhase', `the outcome of ${effectId} is ${outcome.kind}; allowed: ${allowed.join(', ')}`),
    );
  }
  const troubles = state.troubles.has(effectId) ? without(state.troubles, effectId) : state.troubles;
  const next: RoundState = { ...state, effects: withoutEntry(state.effects, effectId), troubles };
  switch (outcome.kind) {
    case 'specWritten':
    case 'roundSwept':
    case 'standingWritten':
      return done(next);
    case 'standingFound':
      return done(onStandingFound(next, outcome.standing, atMs));
    case 'updatesReconciled':
      return done(onUpdatesReconciled(next, outcome.found, atMs));
    case 'ledgerWritten':
      return done(onLedgerWritten(next, outcome.ledger));
    case 'ledgerFound':
      return done(onLedgerFound(next, outcome.ledger, outcome.updates, atMs));
    case 'manifestPublished':
    case 'forkPublished':
      return done(onManifestPublished(next, outcome, atMs));
  }
}
