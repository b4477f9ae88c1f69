import {
  type AdapterManifest,
  adapterProof,
  ledgerObjectName,
  manifestDigests,
  manifestObjectName,
  type PublishedRound,
  type RoundLedger,
  type RunId,
  type RunSpec,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { OBJECTS_AT_ONCE_MAX } from '../limits.ts';
import { parseDocument } from './parse-document.ts';
import { sha256Of } from './sha256.ts';

/** A round as the object store holds it. */
export interface StoredRound {
  readonly summary: PublishedRound;
  readonly manifest: AdapterManifest;
  /** Null where nothing was summed. */
  readonly ledger: RoundLedger | null;
}

/** Every published round of a run, from its manifests and ledgers: 0, 1, 2 … up to the first that has no manifest. */
export async function readPublished(
  objectStore: ObjectStore,
  spec: RunSpec,
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly StoredRound[]> {
  const rounds: StoredRound[] = [];
  for (;;) {
    const numbers = Array.from({ length: OBJECTS_AT_ONCE_MAX }, (_, n) => rounds.length + n);
    const read = await Promise.all(numbers.map((round) => readRound(objectStore, spec, round, nowMs, signal)));
    const end = read.indexOf(null);
    rounds.push(...(read.slice(0, end < 0 ? read.length : end) as StoredRound[]));
    if (end >= 0) return rounds;
  }
}

async function readRound(
  objectStore: ObjectStore,
  spec: RunSpec,
  round: number,
  nowMs: number,
  signal: AbortSignal,
): Promise<StoredRound | null> {
  const objectName = manifestObjectName(spec.runId, round);
  const bytes = await objectStore.get(objectName, undefined, signal);
  if (bytes === null) return null;
  const manifest = parseDocument<AdapterManifest>(objectName, bytes);
  const ledger = manifest.ledger === null ? null : await readLedger(objectStore, spec.runId, round, signal);
  const document = { objectName, digest: sha256Of(bytes) };
  // When it was published is known to nobody any more.
  const summary = { ...summaryOf(spec, manifest, ledger), manifest: document, publishedAtMs: nowMs };
  return { summary, manifest, ledger };
}

export async function readManifest(
  objectStore: ObjectStore,
  runId: RunId,
  round: number,
  signal: AbortSignal,
): Promise<AdapterManifest | null> {
  const objectName = manifestObjectName(runId, round);
  const bytes = await objectStore.get(objectName, undefined, signal);
  return bytes === null ? null : parseDocument<AdapterManifest>(objectName, bytes);
}

export async function readLedger(
  objectStore: ObjectStore,
  runId: RunId,
  round: number,
  signal: AbortSignal,
): Promise<RoundLedger | null> {
  const objectName = ledgerObjectName(runId, round);
  const bytes = await objectStore.get(objectName, undefined, signal);
  return bytes === null ? null : parseDocument<RoundLedger>(objectName, bytes);
}

function summaryOf(
  spec: RunSpec,
  manifest: AdapterManifest,
  ledger: RoundLedger | null,
): Omit<PublishedRound, 'manifest' | 'publishedAtMs'> {
  const firstGroup = spec.modules[0]?.rankGroup ?? '';
  const rankCounts: Record<string, number> = {};
  for (const { ranks } of manifest.updates) {
    const rank = String(ranks[firstGroup]);
    rankCounts[rank] = (rankCounts[rank] ?? 0) + 1;
  }
  const told = (ledger?.updates ?? []).filter(({ loss }) => loss !== null);
  const toldSamples = sum(told.map(({ samples }) => samples));
  return {
    round: manifest.round,
    ...manifestDigests(manifest, sha256Of),
    rolledBackTo: manifest.rolledBackTo ?? null,
    updates: manifest.updates.length,
    samples: sum(manifest.updates.map(({ samples }) => samples)),
    trainingLoss: toldSamples === 0 ? null : sum(told.map(({ loss, samples }) => (loss ?? 0) * samples)) / toldSamples,
    rankCounts,
    ...adapterProof(manifest),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
