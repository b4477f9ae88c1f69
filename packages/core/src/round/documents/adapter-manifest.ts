import type { AgentId, RunId, Sha256Hex, TaskId } from '../../ids.ts';
import type { ModuleResult, StoredDocument } from '../round-state.ts';
import type { RunOrigin } from '../run-spec.ts';
import type { LedgerUpdate } from './round-ledger.ts';

/**
 * A published adapter: its objects, its proof, and the receipt of what it is made of. Version n is the result of round n. It depends on
 * the updates alone: no clock, no attempt's luck but the names of the objects.
 */
export interface AdapterManifest {
  readonly version: 1;
  readonly runId: RunId;
  readonly round: number;
  readonly baseModelDigest: Sha256Hex;
  /** What was summed; null where nothing was: after a roll-back, and in round 0 of a fork. */
  readonly ledger: StoredDocument | null;
  readonly updates: readonly ManifestUpdate[];
  readonly objects: readonly AdapterObject[];
  /** Acknowledged updates that are not in this adapter and count in the next round, ascending by agent; absent: none. */
  readonly carried?: readonly LedgerUpdate[];
  /** The round whose adapter was published again. */
  readonly rolledBackTo?: number;
  /** Whose adapter it is, in round 0 of a fork. */
  readonly origin?: RunOrigin;
  /** Of `adapterDigestText(objects)`; absent in manifests that were written before there was one. */
  readonly adapterDigest?: Sha256Hex;
  /** Of `updatesDigestText(updates)`. */
  readonly updatesDigest?: Sha256Hex;
}

/** The receipt of one update. */
export interface ManifestUpdate {
  readonly agentId: AgentId;
  readonly digest: Sha256Hex;
  readonly samples: number;
  readonly ranks: Readonly<Record<string, number>>;
  /** The earlier round that it was trained for, where it was carried over. */
  readonly trainedIn?: number;
}

/** One rank-major object; its bytes are laid out by `adapter/adapter-layout.ts`. */
export interface AdapterObject {
  readonly taskId: TaskId;
  readonly objectName: string;
  readonly bytes: number;
  readonly digest: Sha256Hex;
  readonly componentDigests: readonly Sha256Hex[];
  readonly rankGroup: string;
  readonly modules: readonly AdapterModule[];
}

/** The proof of one module's sum, without the time that it took. */
export interface AdapterModule extends Omit<ModuleResult, 'seconds'> {
  readonly out: number;
  readonly in: number;
}
