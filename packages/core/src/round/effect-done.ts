import { refuse } from '../refusal.ts';
import { type Answer, answer, done } from './answer.ts';
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
  const next: RoundState = { ...state, effects: withoutEntry(state.effects, effectId) };
  switch (outcome.kind) {
    case 'specWritten':
    case 'uploadDeleted':
      return done(next);
    case 'ledgerWritten':
      return done(onLedgerWritten(next, outcome.ledger));
    case 'manifestPublished':
      return done(onManifestPublished(next, outcome.manifest, atMs));
  }
}
