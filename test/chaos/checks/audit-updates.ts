import type { PublishedManifest } from './published-rounds.ts';

/** An update that is not in the result as often as it was acknowledged. */
export interface Miscount {
  readonly what: 'lost' | 'countedTwice';
  readonly round: number;
  readonly agentId: string;
  readonly why: string;
}

/** What an agent was told: its update is in that round. From its log, or, with the update's digest, from its receipts. */
export interface Told {
  readonly agentId: string;
  readonly round: number;
  readonly digest?: string;
}

/**
 * Compares what agents were told with what was published: every acknowledged update stands in the manifest of its round, and none stands
 * in two places. `made` are the digests of the updates that each agent's trainer made for a round: a manifest may name no other.
 */
export function auditUpdates(
  told: readonly Told[],
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
  const inRound = new Map(
    published.flatMap(({ round, updates }) => updates.map(({ agentId, digest }) => [`${round} ${agentId}`, digest])),
  );
  const seen = new Set<string>();
  for (const { agentId, round, digest } of told) {
    const got = inRound.get(`${round} ${agentId}`);
    const key = `${round} ${agentId} ${digest ?? got}`;
    if ((got !== undefined && (digest ?? got) === got) || seen.has(key)) continue;
    seen.add(key);
    const which = digest === undefined ? 'its update' : `its update ${digest}`;
    const why = `${agentId} was told that ${which} is in round ${round}, whose manifest names ${got ?? 'none of it'}`;
    miscounts.push({ what: 'lost', round, agentId, why });
  }
  return miscounts;
}
