import type { AgentId, RunId, Sha256Hex, TaskId } from '../../ids.ts';
import type { ModuleResult, StoredDocument } from '../round-state.ts';

/**
 * A published adapter: its objects, its proof, and the receipt of what it is made of. Version n is the result of round n. It depends on
 * the updates alone: no clock, no attempt's luck but the names of the objects.
 */
export interface AdapterManifest {
  readonly version: 1;
  readonly runId: RunId;
  readonly round: number;
  readonly baseModelDigest: Sha256Hex;
  readonly ledger: StoredDocument;
  readonly updates: readonly ManifestUpdate[];
  readonly objects: readonly AdapterObject[];
  /** SHA-256 of the canonical JSON of task, bytes and digest of every object: the same adapter has the same, in however many attempts it was made. Absent in manifests from before. */
  readonly adapterDigest?: Sha256Hex;
  /** SHA-256 of the canonical JSON of `updates`. */
  readonly updatesDigest?: Sha256Hex;
}

/** The receipt of one update. */
export interface ManifestUpdate {
  readonly agentId: AgentId;
  readonly digest: Sha256Hex;
  readonly samples: number;
  readonly ranks: Readonly<Record<string, number>>;
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
