import { TROUBLES_MAX } from '../limits.ts';
import { refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
import { cutMessage } from './operator-requests.ts';
import { withoutEntry } from './persistent-map.ts';
import { onLedgerWritten, onManifestPublished } from './phases/aggregating.ts';
import type { RoundEffect, RoundEffectOutcome } from './round-effect.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundState } from './round-state.ts';

const OUTCOME_OF = {
  writeSpec: 'specWritten',
  writeLedger: 'ledgerWritten',
  publishManifest: 'manifestPublished',
  deleteUpload: 'uploadDeleted',
} as const satisfies Record<RoundEffect['kind'], RoundEffectOutcome['kind']>;

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
  if (OUTCOME_OF[effect.kind] !== outcome.kind) {
    return answer(
      state,
      refuse('wrongPhase', `the outcome of ${effectId} is ${outcome.kind}; allowed: ${OUTCOME_OF[effect.kind]}`),
    );
  }
  const troubles = state.troubles.has(effectId) ? without(state.troubles, effectId) : state.troubles;
  const next: RoundState = { ...state, effects: withoutEntry(state.effects, effectId), troubles };
  switch (outcome.kind) {
    case 'specWritten':
    case 'uploadDeleted':
      return done(next);
    case 'ledgerWritten':
      return done(onLedgerWritten(next, outcome.ledger));
    case 'manifestPublished':
      return done(onManifestPublished(next, outcome, atMs));
  }
}
