import { type AdapterManifest, Fault, isRefusal, manifestObjectName, parseRunId } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';

/** An acknowledgement that an agent heard. */
export interface Acknowledgement {
  readonly agentId: string;
  /** The round that the update was made for. */
  readonly round: number;
}

/** Acknowledged updates against the manifests of the rounds that were published. */
export interface Audit {
  /** Acknowledged updates whose round is published. */
  readonly acknowledged: number;
  /** Acknowledged, and in no manifest. */
  readonly lost: readonly Acknowledgement[];
  /** In more than one place of the manifests. */
  readonly countedTwice: readonly Acknowledgement[];
}

/**
 * Holds what was acknowledged against what was published. An update counts in the manifest of its round, or in a later one where it says
 * for which round it was trained. What stands in a manifest and was not acknowledged is no fault: the answer was lost on its way.
 */
export function auditUpdates(
  acknowledgements: Iterable<Acknowledgement>,
  manifests: readonly Pick<AdapterManifest, 'round' | 'updates'>[],
): Audit {
  const places = new Map<string, number>();
  const published = new Set<number>();
  const twice: Acknowledgement[] = [];
  for (const { round, updates } of manifests) {
    published.add(round);
    for (const update of updates) {
      const made: Acknowledgement = { agentId: update.agentId, round: trainedIn(update) ?? round };
      const key = keyOf(made);
      const count = (places.get(key) ?? 0) + 1;
      places.set(key, count);
      if (count === 2) twice.push(made);
    }
  }
  const lost: Acknowledgement[] = [];
  let acknowledged = 0;
  for (const acknowledgement of acknowledgements) {
    if (!published.has(acknowledgement.round)) continue;
    acknowledged += 1;
    if (!places.has(keyOf(acknowledgement))) lost.push(acknowledgement);
  }
  return { acknowledged, lost, countedTwice: twice };
}

const keyOf = ({ agentId, round }: Acknowledgement): string => `${agentId}/${round}`;

/** Of an update that was carried into the round after its own. */
const trainedIn = (update: object): number | undefined => (update as { readonly trainedIn?: number }).trainedIn;

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
