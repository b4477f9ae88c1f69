import type { EffectId, Sha256Hex } from '../ids.ts';
import type { StoredDocument } from './round-state.ts';

/**
 * What must be done outside, decided by `step` and performed after its commit by the lease-holder. Every effect is idempotent and its
 * content is a pure function of the state (`documents/`), so that a new lease-holder may perform it again.
 */
export type RoundEffect =
  /** Stores the run's specification. */
  | { readonly kind: 'writeSpec' }
  /** Stores the list of updates that the open round is made of. */
  | { readonly kind: 'writeLedger'; readonly round: number }
  /** Stores the manifest with a conditional put: this publishes the round. */
  | { readonly kind: 'publishManifest'; readonly round: number }
  /** Deletes an uploaded object that no state mentions. */
  | { readonly kind: 'deleteUpload'; readonly objectName: string };

/** Of a published adapter; the core has no digests of its own, so whoever publishes works them out. */
export interface AdapterDigests {
  /** SHA-256 of `adapterDigestText`: the same adapter has the same, in however many attempts it was made. */
  readonly adapterDigest: Sha256Hex;
  /** SHA-256 of `updatesDigestText`. */
  readonly updatesDigest: Sha256Hex;
}

export type RoundEffectOutcome =
  | { readonly kind: 'specWritten' }
  | { readonly kind: 'ledgerWritten'; readonly ledger: StoredDocument }
  | ({ readonly kind: 'manifestPublished'; readonly manifest: StoredDocument } & AdapterDigests)
  | { readonly kind: 'uploadDeleted' };

/** One effect of a kind and subject is pending at a time, so its id follows from what it does. */
export function effectId(effect: RoundEffect): EffectId {
  switch (effect.kind) {
    case 'writeSpec':
      return 'write-spec' as EffectId;
    case 'writeLedger':
      return `write-ledger-${effect.round}` as EffectId;
    case 'publishManifest':
      return `publish-manifest-${effect.round}` as EffectId;
    case 'deleteUpload':
      return `delete-upload-${effect.objectName}` as EffectId;
  }
}
