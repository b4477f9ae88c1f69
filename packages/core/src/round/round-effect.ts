import type { EffectId, Sha256Hex } from '../ids.ts';
import type { LedgerUpdate } from './documents/round-ledger.ts';
import type { RunStanding } from './documents/run-standing.ts';
import type { StoredDocument } from './round-state.ts';

/**
 * What must be done outside, decided by `step` and performed after its commit by the lease-holder. Every effect is idempotent and its
 * content is a pure function of the state (`documents/`), so that a new lease-holder may perform it again.
 */
export type RoundEffect =
  /** Stores the run's specification. */
  | { readonly kind: 'writeSpec' }
  /** Looks in the object store for updates of the open round that the state lacks, before the round closes. */
  | { readonly kind: 'reconcileUpdates'; readonly round: number }
  /** Stores the list of updates that the open round is made of. */
  | { readonly kind: 'writeLedger'; readonly round: number }
  /** Stores the manifest with a conditional put: this publishes the round. */
  | { readonly kind: 'publishManifest'; readonly round: number }
  /** Publishes the adapter of round `of` once more, as that of the open round, with a conditional put. */
  | { readonly kind: 'publishRollback'; readonly round: number; readonly of: number }
  /** Publishes the adapter of the run's origin as that of round 0, with a conditional put. */
  | { readonly kind: 'publishFork' }
  /** Deletes what an uploader or an aggregator left behind and no document names (`sweepScope`), once the round is published. */
  | { readonly kind: 'sweepRound'; readonly round: number }
  /** Stores what an operator decided, so that a run whose state is lost does not forget it. */
  | { readonly kind: 'writeStanding'; readonly sequence: number };

export type RoundEffectOutcome =
  | { readonly kind: 'specWritten' }
  /** Verified updates that the object store holds for the round (`updatesOwed`) and the state had not accepted when it was asked. */
  | { readonly kind: 'updatesReconciled'; readonly found: readonly LedgerUpdate[] }
  | { readonly kind: 'ledgerWritten'; readonly ledger: StoredDocument }
  /** The round has another ledger already: the first writer wins. */
  | {
      readonly kind: 'ledgerFound';
      readonly ledger: StoredDocument;
      /** Ascending by agent, as they stand in it. */
      readonly updates: readonly LedgerUpdate[];
    }
  /** Also of `publishRollback`. */
  | ({ readonly kind: 'manifestPublished' } & PublishedManifest)
  /** What the origin says of the adapter's quality (`adapterProof`), since this run did not sum it. */
  | ({
      readonly kind: 'forkPublished';
      readonly energyDroppedMax: number;
      readonly residualMax: number;
    } & PublishedManifest)
  | { readonly kind: 'roundSwept' }
  | { readonly kind: 'standingWritten' }
  /** Another document has this sequence: it is of a history that the round store lost. */
  | { readonly kind: 'standingFound'; readonly standing: RunStanding };

/** A manifest that stands in the object store, and the digests in it. */
export interface PublishedManifest {
  readonly manifest: StoredDocument;
  readonly adapterDigest: Sha256Hex;
  readonly updatesDigest: Sha256Hex;
}

/** One effect of a kind and subject is pending at a time, so its id follows from what it does. */
export function effectId(effect: RoundEffect): EffectId {
  switch (effect.kind) {
    case 'writeSpec':
      return 'write-spec' as EffectId;
    case 'writeLedger':
      return `write-ledger-${effect.round}` as EffectId;
    case 'publishManifest':
      return `publish-manifest-${effect.round}` as EffectId;
    case 'reconcileUpdates':
      return `reconcile-updates-${effect.round}` as EffectId;
    case 'publishRollback':
      return `publish-rollback-${effect.round}` as EffectId;
    case 'publishFork':
      return 'publish-fork' as EffectId;
    case 'sweepRound':
      return `sweep-round-${effect.round}` as EffectId;
    case 'writeStanding':
      return `write-standing-${effect.sequence}` as EffectId;
  }
}
