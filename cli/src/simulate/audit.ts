import { type AdapterManifest, Fault, isRefusal, manifestObjectName, parseRunId } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';

/** What an agent heard of an update that the platform took: its receipt. */
export interface Acknowledgement {
  readonly agentId: string;
  readonly sha256: string;
  /** The round in whose adapter it counts, as the platform said. */
  readonly countsIn: number;
}

/** Acknowledged updates against the manifests of the rounds that were published. */
export interface Audit {
  /** Acknowledged updates whose round is published. */
  readonly acknowledged: number;
  /** Acknowledged, and in no manifest. */
  readonly lost: readonly Acknowledgement[];
  /** In more than one place of the manifests: agents, and the rounds that they trained in. */
  readonly countedTwice: readonly { readonly agentId: string; readonly trainedIn: number }[];
}

/**
 * Holds what was acknowledged against what was published. What stands in a manifest and was not acknowledged is no fault: the answer was
 * lost on its way.
 */
export function auditUpdates(
  acknowledgements: Iterable<Acknowledgement>,
  manifests: readonly Pick<AdapterManifest, 'round' | 'updates'>[],
): Audit {
  const published = new Set<number>();
  const counted = new Set<string>();
  const places = new Map<string, number>();
  const countedTwice: Audit['countedTwice'][number][] = [];
  for (const { round, updates } of manifests) {
    published.add(round);
    for (const update of updates) {
      counted.add(`${update.agentId}/${update.digest}`);
      const made = { agentId: update.agentId, trainedIn: update.trainedIn ?? round };
      const key = `${made.agentId}/${made.trainedIn}`;
      const count = (places.get(key) ?? 0) + 1;
      places.set(key, count);
      if (count === 2) countedTwice.push(made);
    }
  }
  const heard = [...acknowledgements].filter(({ countsIn }) => published.has(countsIn));
  const lost = heard.filter(({ agentId, sha256 }) => !counted.has(`${agentId}/${sha256}`));
  return { acknowledged: heard.length, lost, countedTwice };
}

/** The manifests of the rounds after the initial adapter, which is made of no updates. @throws {Fault} when one is missing. */
export async function readManifests(
  store: ObjectStore,
  run: { readonly runId: string; readonly rounds: readonly number[] },
  signal: AbortSignal,
): Promise<readonly AdapterManifest[]> {
  const runId = parseRunId(run.runId);
  if (isRefusal(runId)) throw new Fault(runId.message);
  const manifests: AdapterManifest[] = [];
  for (const round of run.rounds.filter((number) => number > 0)) {
    const name = manifestObjectName(runId, round);
    const bytes = await store.get(name, undefined, signal);
    if (bytes === null)
      throw new Fault(
        `the bucket has no ${name}, though round ${round} is published: S3_BUCKET and S3_ENDPOINT must be those of the platform`,
      );
    manifests.push(JSON.parse(Buffer.from(bytes).toString('utf8')) as AdapterManifest);
  }
  return manifests;
}
