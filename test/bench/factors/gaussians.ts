/** Normal numbers from a seed: independent of one another, cheap enough for billions. */
export interface Gaussians {
  /** Fills with independent normal numbers of mean zero and this standard deviation. */
  fill(values: Float32Array, deviation: number): void;
}

/** Half of the table; the other half has the opposite signs, so that its mean is exactly zero. */
const HALF = 1 << 15;

/**
 * Draws 16 bits of a seeded generator as an index into 65,536 normal numbers, two of them a step. Drawing from a table costs a fifth of
 * drawing afresh, and its granularity is far below anything that a spectrum shows. Distinct seeds give unrelated sequences.
 */
export function createGaussians(...seed: readonly number[]): Gaussians {
  const next = createGenerator(seed);
  return {
    fill(values, deviation) {
      const { length } = values;
      for (let i = 0; i < length; i += 2) {
        const bits = next();
        values[i] = deviation * TABLE[bits & 0xffff]!;
        // Past the end of an odd length a typed array takes nothing.
        values[i + 1] = deviation * TABLE[bits >>> 16]!;
      }
    },
  };
}

const TABLE = normalTable();

/** Box and Muller's method, scaled to unit variance. */
function normalTable(): Float64Array {
  const next = createGenerator([0x6e6f726d]);
  const uniform = () => ((next() >>> 0) + 0.5) / 2 ** 32;
  const table = new Float64Array(2 * HALF);
  let squares = 0;
  for (let i = 0; i < HALF; i++) {
    const value = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    table[i] = value;
    squares += value * value;
  }
  const unit = Math.sqrt(HALF / squares);
  for (let i = 0; i < HALF; i++) {
    table[i]! *= unit;
    table[HALF + i] = -table[i]!;
  }
  return table;
}

/** Doty-Humphrey's sfc32 (PractRand): 32 bits a call, as a signed integer. */
function createGenerator(seed: readonly number[]): () => number {
  let [a, b, c, counter] = [0x9e3779b9 | 0, 0x243f6a88 | 0, 0xb7e15162 | 0, 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum;
  };
  for (const word of seed) {
    a ^= word;
    for (let i = 0; i < 12; i++) next();
  }
  return next;
}
