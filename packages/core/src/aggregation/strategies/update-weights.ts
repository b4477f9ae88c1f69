import { type Refusal, refuse } from '../../refusal.ts';
import type { TermUpdate } from '../term.ts';

/** An update that counts: its number in the list given, and w_k = n_k / Σ n_j. */
export interface WeighedUpdate {
  readonly index: number;
  readonly weight: number;
  readonly update: TermUpdate;
}

/**
 * The updates that count, in the order given: those without samples drop out. No updates at all give none, which is the empty sum;
 * updates that all have no samples are refused, because then no weight means anything.
 */
export function weighUpdates(updates: readonly TermUpdate[]): readonly WeighedUpdate[] | Refusal {
  let total = 0;
  for (const { label, samples, scaling } of updates) {
    if (!Number.isSafeInteger(samples) || samples < 0) {
      return refuse(
        'badNumber',
        `samples of ${label} are ${samples}; allowed: an integer from 0: report the number of training sequences`,
      );
    }
    if (!Number.isFinite(scaling)) {
      return refuse(
        'badNumber',
        `the scaling of ${label} is ${scaling}; allowed: a finite number: check alpha and rank`,
      );
    }
    total += samples;
  }
  if (updates.length > 0 && total === 0) {
    return refuse(
      'badNumber',
      `all ${updates.length} updates have 0 samples; allowed: a sum above 0: leave out those who did not train`,
    );
  }
  return updates
    .map((update, index) => ({ index, weight: update.samples / total, update }))
    .filter(({ update }) => update.samples > 0);
}
