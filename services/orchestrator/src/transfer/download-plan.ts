import type {
  AdapterLayout,
  AdapterObject as AdapterObjectMessage,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import {
  type AdapterManifest,
  type AdapterObject,
  componentCount,
  prefixBytes,
  type Refusal,
  type RunSpec,
  rankGroups,
  refuse,
} from '@flexlora/core';
import { svdSplits } from '../translate/enum-names.ts';

/** The first components of every object of an adapter, at the ranks that were asked for: one contiguous range an object. */
export interface DownloadPlan {
  readonly kind: 'plan';
  readonly layout: AdapterLayout;
  readonly prefixes: readonly { readonly objectName: string; readonly bytes: number }[];
}

export function planDownload(
  spec: RunSpec,
  manifest: AdapterManifest,
  ranks: Readonly<Record<string, number>>,
): DownloadPlan | Refusal {
  const refusal = checkRanks(spec, ranks);
  if (refusal !== null) return refusal;
  const objects = manifest.objects.map((object) => objectMessage(object, ranks[object.rankGroup] ?? 0));
  return {
    kind: 'plan',
    layout: {
      bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
      objects,
      svdSplit: svdSplits.toMessage(spec.svdSplit),
    },
    prefixes: manifest.objects.map(({ objectName }, i) => ({ objectName, bytes: objects[i]?.bytes ?? 0 })),
  };
}

function checkRanks(spec: RunSpec, ranks: Readonly<Record<string, number>>): Refusal | null {
  const groups = rankGroups(spec);
  for (const group of groups) {
    const rank = Object.hasOwn(ranks, group) ? ranks[group] : undefined;
    if (rank === undefined || rank < 1 || rank > spec.rank.max) {
      return refuse(
        'rankOutOfRange',
        `ranks[${JSON.stringify(group)}] is ${rank ?? 'not set'}; allowed: 1 to ${spec.rank.max} for each of ${groups.join(', ')}`,
      );
    }
  }
  const unknown = Object.keys(ranks).find((group) => !groups.includes(group));
  if (unknown === undefined) return null;
  return refuse(
    'rankOutOfRange',
    `ranks names ${JSON.stringify(unknown.slice(0, 80))}; allowed: the run's rank groups ${groups.join(', ')}`,
  );
}

function objectMessage(object: AdapterObject, rank: number): AdapterObjectMessage {
  const components = Math.min(rank, componentCount(object.modules));
  return {
    bytes: prefixBytes(object.modules, components),
    rankGroup: object.rankGroup,
    components,
    modules: object.modules.map((module) => ({
      name: module.name,
      outFeatures: module.out,
      inFeatures: module.in,
      rank: module.rank,
      spectrum: module.spectrum.slice(0, components),
    })),
    componentSha256: object.componentDigests.slice(0, components),
  };
}
