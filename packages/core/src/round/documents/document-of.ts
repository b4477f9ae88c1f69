import { ledgerObjectName, manifestObjectName, specObjectName } from '../../object-names.ts';
import type { RoundEffect } from '../round-effect.ts';
import type { RoundState } from '../round-state.ts';
import { canonicalJson } from './canonical-json.ts';
import { ledgerOf } from './ledger-of.ts';
import { manifestOf } from './manifest-of.ts';

export interface DocumentText {
  readonly objectName: string;
  readonly text: string;
}

/**
 * What an effect that is pending in this state writes, and where; null for one that writes nothing. A manifest is written with its digests
 * besides, which whoever publishes it works out.
 */
export function documentOf(state: RoundState, effect: RoundEffect): DocumentText | null {
  const { runId } = state.spec;
  switch (effect.kind) {
    case 'writeSpec':
      return { objectName: specObjectName(runId), text: canonicalJson(state.spec) };
    case 'writeLedger':
      return { objectName: ledgerObjectName(runId, effect.round), text: canonicalJson(ledgerOf(state)) };
    case 'publishManifest':
      return { objectName: manifestObjectName(runId, effect.round), text: canonicalJson(manifestOf(state)) };
    case 'deleteUpload':
      return null;
  }
}
