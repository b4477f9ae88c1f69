/** Uniform numbers in [0, 1) from a seed: splitmix64's increment and finaliser on two 32-bit halves would be slow, so this is its 32-bit kin. */
export interface SeededRandom {
  uniform(): number;
  /** An integer in [0, bound). */
  below(bound: number): number;
  /** Standard normal, by Box and Muller. */
  normal(): number;
}

export function createSeededRandom(seed: number): SeededRandom {
  // Both halves of a seed up to 2⁵³ take part.
  let state = (mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) + 0x51ed27)) >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    return mix(state);
  };
  const uniform = (): number => (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
  return {
    uniform,
    below: (bound) => Math.floor(uniform() * bound),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** Murmur3's 32-bit finaliser. */
function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
