import { createHash } from 'node:crypto';
import {
  type AdapterManifest,
  manifestObjectName,
  type PublishedRound,
  type RoundLedger,
  type RunSpec,
  type Sha256Hex,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { digestsOf } from '../effects.ts';
import { parseDocument } from './parse-document.ts';

/** Every published round of a run, from its manifests and ledgers: 0, 1, 2 … up to the first that has no manifest. */
export async function readPublished(
  objectStore: ObjectStore,
  spec: RunSpec,
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly PublishedRound[]> {
  const published: PublishedRound[] = [];
  while (published.length <= spec.rounds) {
    const objectName = manifestObjectName(spec.runId, published.length);
    const bytes = await objectStore.get(objectName, undefined, signal);
    if (bytes === null) break;
    const manifest = parseDocument<AdapterManifest>(objectName, bytes);
    const ledger = await readLedger(objectStore, manifest.ledger.objectName, signal);
    const digest = createHash('sha256').update(bytes).digest('hex') as Sha256Hex;
    // When it was published is known to nobody any more.
    published.push({ ...summaryOf(spec, manifest, ledger), manifest: { objectName, digest }, publishedAtMs: nowMs });
  }
  return published;
}

export async function readLedger(
  objectStore: ObjectStore,
  objectName: string,
  signal: AbortSignal,
): Promise<RoundLedger | null> {
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
  const modules = manifest.objects.flatMap((object) => object.modules);
  return {
    round: manifest.round,
    ...digestsOf(manifest),
    updates: manifest.updates.length,
    samples: sum(manifest.updates.map(({ samples }) => samples)),
    trainingLoss: toldSamples === 0 ? null : sum(told.map(({ loss, samples }) => (loss ?? 0) * samples)) / toldSamples,
    rankCounts,
    energyDroppedMax: modules.reduce((most, module) => Math.max(most, droppedShare(module)), 0),
    residualMax: modules.reduce((most, { residual }) => Math.max(most, residual), 0),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const droppedShare = ({ energyKept, energyTotal }: { readonly energyKept: number; readonly energyTotal: number }) =>
  energyTotal === 0 ? 0 : Math.max(0, 1 - energyKept / energyTotal);
