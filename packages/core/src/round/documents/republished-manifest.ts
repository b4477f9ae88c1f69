import { manifestObjectName } from '../../object-names.ts';
import type { RoundEffect } from '../round-effect.ts';
import type { RoundState, StoredDocument } from '../round-state.ts';
import type { AdapterManifest } from './adapter-manifest.ts';
import { carriedUpdates } from './ledger-of.ts';
import { manifestDigests, type Sha256Of } from './manifest-digests.ts';

export type RepublishEffect = Extract<RoundEffect, { kind: 'publishRollback' | 'publishFork' }>;

/** The manifest whose adapter is published again. Its bytes must have this digest. */
export function republishedSource({ spec, published }: RoundState, effect: RepublishEffect): StoredDocument {
  switch (effect.kind) {
    case 'publishRollback':
      return published.get(effect.of)!.manifest;
    case 'publishFork': {
      const { runId, round, manifestDigest } = spec.origin!;
      return { objectName: manifestObjectName(runId, round), digest: manifestDigest };
    }
  }
}

/** The manifest of the open round that names the objects of `source`: no bytes are copied. */
export function republishedManifest(
  state: RoundState,
  effect: RepublishEffect,
  source: AdapterManifest,
  sha256Of: Sha256Of,
): AdapterManifest {
  const { spec, round } = state;
  const manifest: AdapterManifest = {
    version: 1,
    runId: spec.runId,
    round,
    baseModelDigest: spec.baseModel.digest,
    ledger: null,
    updates: [],
    objects: source.objects,
    ...manifestDigests({ objects: source.objects, updates: [] }, sha256Of),
  };
  switch (effect.kind) {
    case 'publishRollback':
      return { ...manifest, ...carriedUpdates(state), rolledBackTo: effect.of };
    case 'publishFork':
      return { ...manifest, origin: spec.origin! };
  }
}
