/** Latencies in buckets that are each a hundredth wider than the last: any quantile within 1 %, in a few kilobytes. */
export interface LatencyHistogram {
  add(ms: number): void;
  /** Adds what another histogram counted. */
  merge(counts: Uint32Array): void;
  readonly count: number;
  /** By bucket, as they are now: a copy that another thread can be given. */
  counts(): Uint32Array;
  /** The latency that this share (0 to 1) did not exceed, in milliseconds, at most 1 % too large; 0 when there is none. */
  quantile(share: number): number;
}

/** Below a tenth of a millisecond it is a clock's noise. */
const SMALLEST_MS = 0.1;
const WIDTH = 1.01;
/** Up to an hour: log(3.6e7) / log(1.01). Longer ones are counted there. */
const BUCKETS = Math.ceil(Math.log(3_600_000 / SMALLEST_MS) / Math.log(WIDTH));

export function createLatencyHistogram(): LatencyHistogram {
  const counts = new Uint32Array(BUCKETS + 1);
  let count = 0;
  return {
    add: (ms) => {
      const bucket = ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / Math.log(WIDTH));
      const at = Math.min(BUCKETS, bucket);
      counts[at] = (counts[at] ?? 0) + 1;
      count += 1;
    },
    merge: (others) => {
      for (const [at, more] of others.entries()) {
        counts[at] = (counts[at] ?? 0) + more;
        count += more;
      }
    },
    get count() {
      return count;
    },
    counts: () => counts.slice(),
    quantile: (share) => {
      if (count === 0) return 0;
      let left = Math.max(1, Math.ceil(share * count));
      for (const [bucket, inBucket] of counts.entries()) {
        left -= inBucket;
        if (left <= 0) return SMALLEST_MS * WIDTH ** bucket;
      }
      return SMALLEST_MS * WIDTH ** BUCKETS;
    },
  };
}
