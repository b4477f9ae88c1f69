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

/** Memory that threads share: the same noise for all of them. @param valuesMax of the largest factor that is asked for. */
export function createNoisePool(seed: number, valuesMax: number): Float32Array {
  const values = valuesMax + SPARE_VALUES;
  const pool = new Float32Array(new SharedArrayBuffer(values * Float32Array.BYTES_PER_ELEMENT));
  // Numerical Recipes' generator: enough for noise, and fast.
  let state = seededHash('noise', seed);
  for (let at = 0; at < values; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pool[at] = AMPLITUDE * (state / 2 ** 31 - 1);
  }
  return pool;
}

export function createNoise(pool: Float32Array): Noise {
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
