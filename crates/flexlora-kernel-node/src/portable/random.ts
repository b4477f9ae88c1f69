const MASK = (1n << 64n) - 1n;
const GRID = 2 ** -52;

/** SplitMix64 (Steele, Lea and Flood 2014), the same numbers as `random.rs` draws. */
export interface SplitMix64 {
  nextU64(): bigint;
  /** Uniform in [-1, 1) on a grid of 2^-52, exact in float64. */
  nextSignedUnit(): number;
}

export function createSplitMix64(seed: bigint): SplitMix64 {
  let state = seed & MASK;
  const nextU64 = (): bigint => {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  };
  return { nextU64, nextSignedUnit: () => Number(nextU64() >> 11n) * GRID - 1 };
}

/** An independent stream of the same seed, so that stream `index` does not depend on how much the streams before it drew. */
export function createStream(seed: bigint, index: bigint): SplitMix64 {
  const base = createSplitMix64(seed ^ ((index * 0xd1b54a32d192ed03n) & MASK));
  return createSplitMix64(base.nextU64());
}

/** Any number is a seed: its 64 bits. */
export function seedBits(seed: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, seed);
  return view.getBigUint64(0);
}
