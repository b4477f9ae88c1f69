import type { Acknowledgement } from '../world/run-watch.ts';
import type { PublishedManifest } from './published-rounds.ts';

/** An update that is not in the result as often as it was acknowledged. */
export interface Miscount {
  readonly what: 'lost' | 'countedTwice';
  readonly round: number;
  readonly agentId: string;
  readonly why: string;
}

/**
 * Compares what agents were told with what was published: every acknowledged update stands in the manifest of its round, and none stands
 * in two places. `made` are the digests of the updates that each agent's trainer made for a round: a manifest may name no other.
 */
export function auditUpdates(
  acknowledgements: readonly Acknowledgement[],
  published: readonly PublishedManifest[],
  made: (agentId: string, round: number) => ReadonlySet<string>,
): readonly Miscount[] {
  const miscounts: Miscount[] = [];
  const places = new Map<string, string>();
  for (const { round, updates } of published) {
    const agents = new Set<string>();
    for (const { agentId, digest } of updates) {
      const miscount = (what: Miscount['what'], why: string): void =>
        void miscounts.push({ what, round, agentId, why });
      if (agents.has(agentId)) miscount('countedTwice', `${agentId} stands twice in the manifest of round ${round}`);
      const before = places.get(digest);
      if (before !== undefined) miscount('countedTwice', `update ${digest} of ${agentId} stands in ${before} as well`);
      if (!made(agentId, round).has(digest))
        miscount(
          'lost',
          `the manifest of round ${round} names update ${digest} of ${agentId}, which its trainer did not make`,
        );
      agents.add(agentId);
      places.set(digest, `round ${round}`);
    }
  }
  const isPublished = new Set(
    published.flatMap(({ round, updates }) => updates.map(({ agentId }) => `${round} ${agentId}`)),
  );
  const told = new Map(acknowledgements.map((each) => [`${each.round} ${each.agentId}`, each]));
  for (const [key, { round, agentId }] of told) {
    if (isPublished.has(key)) continue;
    miscounts.push({
      what: 'lost',
      round,
      agentId,
      why: `${agentId} was told that its update is in round ${round}, whose manifest does not name it`,
    });
  }
  return miscounts;
}
