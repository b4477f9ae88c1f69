import { ledgerObjectName, manifestObjectName, runStandingObjectName, specObjectName } from '../../object-names.ts';
import type { RoundEffect } from '../round-effect.ts';
import type { RoundState } from '../round-state.ts';
import { canonicalJson } from './canonical-json.ts';
import { ledgerOf } from './ledger-of.ts';
import { manifestDigests, type Sha256Of } from './manifest-digests.ts';
import { manifestOf } from './manifest-of.ts';
import { standingOf } from './run-standing.ts';

export interface DocumentText {
  readonly objectName: string;
  readonly text: string;
}

/** Effects that write what the state says. `RepublishEffect` needs another manifest as well: see `republishedManifest`. */
export type DocumentEffect = Extract<
  RoundEffect,
  { kind: 'writeSpec' | 'writeLedger' | 'publishManifest' | 'writeStanding' }
>;

/** What an effect that is pending in this state writes, and where. */
export function documentOf(state: RoundState, effect: DocumentEffect, sha256Of: Sha256Of): DocumentText {
  const { runId } = state.spec;
  switch (effect.kind) {
    case 'writeSpec':
      return { objectName: specObjectName(runId), text: canonicalJson(state.spec) };
    case 'writeLedger':
      return { objectName: ledgerObjectName(runId, effect.round), text: canonicalJson(ledgerOf(state)) };
    case 'publishManifest': {
      const manifest = manifestOf(state);
      const text = canonicalJson({ ...manifest, ...manifestDigests(manifest, sha256Of) });
      return { objectName: manifestObjectName(runId, effect.round), text };
    }
    case 'writeStanding':
      return { objectName: runStandingObjectName(runId, effect.sequence), text: canonicalJson(standingOf(state)) };
  }
}
