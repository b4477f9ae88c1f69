import type { ClientMix } from '../factors/client-mix.ts';
import type { Spectrum } from '../factors/factor-maker.ts';
import type { KernelCase } from './kernel-case.ts';

/** Components that are kept. */
const RANKS: readonly number[] = [4, 16, 64];

/** Sums of ranks, as shares of the side: below one the factors can be stacked. */
const SHARES: readonly number[] = [0.25, 1, 4];

/** Of one client; at least four clients share a sum. */
const CLIENT_RANK_MAX = 64;

/** The small sums at which the methods lie close together, so that the planner can err. */
export function regretCases(side: number, spectrum: Spectrum): readonly KernelCase[] {
  return RANKS.filter((rank) => rank <= side).flatMap((rank) =>
    SHARES.map((share) => ({ out: side, in: side, mix: mixOf(Math.max(4, side * share)), spectrum, rank })),
  );
}

function mixOf(rankSum: number): ClientMix {
  const rank = Math.min(CLIENT_RANK_MAX, Math.floor(rankSum / 4));
  return { name: `sum-${rankSum}`, clients: Math.floor(rankSum / rank), cycle: [rank] };
}
