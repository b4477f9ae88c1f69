import { createGaussians } from './gaussians.ts';

/**
 * `decay`: all clients share a part with singular values in proportion to 0.85^k, and each has noise of its own of a tenth of that size, as
 * adapters have that were trained from one start. `flat`: all factors are independent, which no truncation fits well and where an iteration has
 * the least to hold on to.
 */
export type Spectrum = 'decay' | 'flat';

export const SPECTRA: readonly Spectrum[] = ['decay', 'flat'];

export interface FactorMaker {
  /** `b` is out × rank and `a` rank × in, row-major. The same client and rank give the same factors. */
  make(client: number, rank: number): { readonly b: Float32Array; readonly a: Float32Array };
}

/** Components of the common part: 0.85^64 is 3e-5, below each client's noise. */
const COMMON_RANK = 64;
const DECAY = 0.85;
const NOISE = 0.1;
/** Stands where a client's number does, for what belongs to none. */
const NOBODY = -1;

export function createFactorMaker(out: number, columns: number, spectrum: Spectrum, seed: number): FactorMaker {
  const [perRow, perColumn] = [1 / Math.sqrt(out), 1 / Math.sqrt(columns)];

  const independent = (client: number, rank: number, share: number) => {
    const gaussians = createGaussians(seed, client, rank);
    const b = new Float32Array(out * rank);
    const a = new Float32Array(rank * columns);
    gaussians.fill(b, share * perRow);
    gaussians.fill(a, share * perColumn);
    return { b, a };
  };
  switch (spectrum) {
    case 'flat':
      return { make: (client, rank) => independent(client, rank, 1) };
    case 'decay': {
      const commonRank = Math.min(COMMON_RANK, out, columns);
      const common = independent(NOBODY, commonRank, 1);
      return {
        make(client, rank) {
          const { b, a } = independent(client, rank, NOISE);
          const shared = Math.min(rank, commonRank);
          for (let i = 0; i < out; i++)
            for (let j = 0, share = 1; j < shared; j++, share *= DECAY)
              b[i * rank + j]! += share * common.b[i * commonRank + j]!;
          for (let i = 0; i < shared * columns; i++) a[i]! += common.a[i]!;
          return { b, a };
        },
      };
    }
  }
}
