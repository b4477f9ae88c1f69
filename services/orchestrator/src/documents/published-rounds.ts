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
import { ROUNDS_AT_ONCE_MAX } from '../limits.ts';
import { parseDocument } from './parse-document.ts';
import { sha256Of } from './sha256.ts';

/** A round as the object store holds it. */
export interface StoredRound {
  readonly summary: PublishedRound;
  /** Null where nothing was summed. */
  readonly ledger: RoundLedger | null;
}

/** Published rounds of a run, from their manifests and ledgers: `from` and those after it, up to the first that has no manifest. */
export async function* readPublished(
  objectStore: ObjectStore,
  spec: RunSpec,
  from: number,
  nowMs: number,
  signal: AbortSignal,
): AsyncGenerator<StoredRound> {
  for (let first = from; ; first += ROUNDS_AT_ONCE_MAX) {
    const numbers = Array.from({ length: ROUNDS_AT_ONCE_MAX }, (_, n) => first + n);
    const read = await Promise.all(numbers.map((round) => readRound(objectStore, spec, round, nowMs, signal)));
    for (const stored of read) {
      if (stored === null) return;
      yield stored;
    }
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
  return { summary, ledger };
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
