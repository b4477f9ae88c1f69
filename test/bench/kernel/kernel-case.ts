import type { KernelTerm } from '@flexlora/kernel';
import { ALPHA, type ClientMix, ranksOf, samplesOf } from '../factors/client-mix.ts';
import { createFactorMaker, type Spectrum } from '../factors/factor-maker.ts';

/** One sum to be timed. */
export interface KernelCase {
  readonly out: number;
  readonly in: number;
  readonly mix: ClientMix;
  readonly spectrum: Spectrum;
  /** Components that are kept. */
  readonly rank: number;
}

const SEED = 1;

/** Its terms, in memory as float32: `n_k / Σ n_j · α / r_k · B_k A_k`. */
export function termsOf({ out, in: columns, mix, spectrum }: KernelCase): readonly KernelTerm[] {
  const maker = createFactorMaker(out, columns, spectrum, SEED);
  const ranks = ranksOf(mix);
  const samples = ranks.reduce((sum, _, client) => sum + samplesOf(client), 0);
  return ranks.map((rank, client) => {
    const { b, a } = maker.make(client, rank);
    const factor = (values: Float32Array, rows: number, cols: number) => ({
      dtype: 'F32' as const,
      rows,
      cols,
      bytes: new Uint8Array(values.buffer),
    });
    return {
      label: `client-${client}`,
      coefficient: ((samplesOf(client) / samples) * ALPHA) / rank,
      b: factor(b, out, rank),
      a: factor(a, rank, columns),
    };
  });
}

export function nameOf({ out, in: columns, mix, spectrum }: KernelCase): string {
  return `${out} × ${columns}, ${mix.name}, ${spectrum}`;
}
