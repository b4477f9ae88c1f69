import { type AdapterFactors, encodePeftFile, type PeftFileModule, seededHash } from '@flexlora/core';

/** Updates that follow from a seed and cost nothing to make: their factors are pieces of one pool of noise. */
export interface Noise {
  /** An `adapter_model.safetensors` in pieces; those of other `of` differ. */
  update(modules: readonly PeftFileModule[], of: string): Generator<Uint8Array, void>;
}

/** Small, as trained factors are: sums of thousands stay of the size of one. */
const AMPLITUDE = 0.02;
/** Room for as many different beginnings as there are agents. */
const SPARE_VALUES = 1 << 20;

/** @param valuesMax of the largest factor that is asked for. */
export function createNoise(seed: number, valuesMax: number): Noise {
  const pool = new Float32Array(valuesMax + SPARE_VALUES);
  // Numerical Recipes' generator: enough for noise, and fast.
  let state = seededHash('noise', seed);
  for (const at of pool.keys()) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pool[at] = AMPLITUDE * (state / 2 ** 31 - 1);
  }
  const piece = (values: number, ...of: readonly (string | number)[]): Float32Array => {
    const begin = seededHash('piece', ...of) % SPARE_VALUES;
    return pool.subarray(begin, begin + values);
  };
  return {
    update: (modules, of) => {
      const factors = modules.map(
        ({ out, in: columns, rank }, module): AdapterFactors => ({
          rank,
          b: piece(out * rank, of, module, 'b'),
          a: piece(rank * columns, of, module, 'a'),
        }),
      );
      return encodePeftFile(modules, factors);
    },
  };
}
