import type { Findings } from './findings.ts';
import type { ObjectWatch } from './object-watch.ts';

/** Counts what agents train: work that the object store already holds is never done again. */
export interface TrainingWatch {
  began(agentId: string, round: number): void;
  /** From now on an update may be trained again: a round store that went back in time does not know what it took. */
  forgive(): void;
  readonly count: number;
}

export function createTrainingWatch(objects: ObjectWatch, findings: Findings): TrainingWatch {
  let count = 0;
  let isForgiven = false;
  return {
    get count() {
      return count;
    },
    began: (agentId, round) => {
      count += 1;
      if (!isForgiven && objects.factsOf(round, agentId) !== null)
        findings.broken(`agent ${agentId} trains for round ${round}, of which its verified update is stored`);
    },
    forgive: () => {
      isForgiven = true;
    },
  };
}
