import type { Refusal } from '../../refusal.ts';
import type { StrategyName } from '../../round/run-spec.ts';
import type { AggregationTerm, TermUpdate } from '../term.ts';
import { fedavgTerms } from './fedavg.ts';
import { flexloraTerms } from './flexlora.ts';
import { flexloraResidualTerms } from './flexlora-residual.ts';
import { hetloraTerms } from './hetlora.ts';

/** What a strategy may know beside the updates. */
export interface StrategyContext {
  /** Components that this module has in the adapter that the round started from; 0 where there is none. */
  readonly previousRank: number;
  /** η: how far the adapter goes towards the updates. 1 goes all the way. */
  readonly serverRate: number;
}

/**
 * Turns the updates of one module into the terms whose sum the kernel truncates: a pure function. The order of the terms follows the
 * order of the updates, which the caller fixes.
 */
export type StrategyTerms = (
  updates: readonly TermUpdate[],
  context: StrategyContext,
) => readonly AggregationTerm[] | Refusal;

/** Adding a strategy is one file and one line. */
export const STRATEGIES: Readonly<Record<StrategyName, StrategyTerms>> = {
  flexlora: flexloraTerms,
  'flexlora-residual': flexloraResidualTerms,
  fedavg: fedavgTerms,
  hetlora: hetloraTerms,
};
