import type { Findings } from './findings.ts';
import type { ObjectWatch } from './object-watch.ts';

/** What an agent was told: this update is in the result of this round. */
export interface Receipt {
  readonly agentId: string;
  readonly round: number;
  readonly digest: string;
}

/** Holds every acknowledgement that an agent heard against every manifest: in exactly one, and once. */
export interface ReceiptWatch {
  acknowledged(receipt: Receipt): void;
  /** Of rounds that are published. Cheap: only what is new is looked at. */
  look(): void;
  /** At the end of a run that completed: nothing may be left to wait for. */
  lookAtEnd(): void;
  readonly count: number;
}

export function createReceiptWatch(objects: ObjectWatch, findings: Findings): ReceiptWatch {
  const receipts = new Map<string, Receipt>();
  const settled = new Set<string>();
  let manifestsLookedAt = 0;
  const keyOf = ({ agentId, digest }: Pick<Receipt, 'agentId' | 'digest'>): string => `${agentId} ${digest}`;

  const settle = (key: string, { agentId, round, digest }: Receipt): void => {
    const manifest = objects.manifests.get(round);
    if (manifest === undefined) return;
    settled.add(key);
    const times = manifest.updates.filter((update) => update.agentId === agentId && update.digest === digest).length;
    if (times !== 1)
      findings.broken(
        `agent ${agentId} was told that its update ${digest.slice(0, 8)} is in round ${round}; the manifest lists it ${times} times`,
      );
  };

  /** The same update in two rounds was counted twice. */
  const checkNoneTwice = (): void => {
    if (objects.manifests.size === manifestsLookedAt) return;
    manifestsLookedAt = objects.manifests.size;
    const rounds = new Map<string, number>();
    for (const [round, { updates }] of objects.manifests) {
      for (const update of updates) {
        const other = rounds.get(keyOf(update));
        if (other !== undefined)
          findings.broken(
            `the update ${update.digest.slice(0, 8)} of ${update.agentId} is in rounds ${other} and ${round}`,
          );
        rounds.set(keyOf(update), round);
      }
    }
  };

  const look = (): void => {
    checkNoneTwice();
    for (const [key, receipt] of receipts) if (!settled.has(key)) settle(key, receipt);
  };

  return {
    get count() {
      return receipts.size;
    },
    acknowledged: (receipt) => {
      const before = receipts.get(keyOf(receipt));
      receipts.set(keyOf(receipt), receipt);
      if (before !== undefined && before.round !== receipt.round)
        findings.broken(
          `agent ${receipt.agentId} was told round ${before.round} and round ${receipt.round} of the same update`,
        );
    },
    look,
    lookAtEnd: () => {
      look();
      for (const [key, { agentId, round }] of receipts)
        if (!settled.has(key)) findings.broken(`agent ${agentId} was told of round ${round}, which has no manifest`);
    },
  };
}
