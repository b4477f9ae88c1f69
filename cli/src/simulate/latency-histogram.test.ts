import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLatencyHistogram } from './latency-histogram.ts';

test('a quantile is at most 1 % above the latency of that rank, and never below it', () => {
  const latencies = fc.array(fc.double({ min: 0.11, max: 3_000_000, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (all, share) => {
      const histogram = createLatencyHistogram();
      for (const ms of all) histogram.add(ms);
      const sorted = all.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(share * all.length)) - 1]!;
      const got = histogram.quantile(share);
      assert.equal(histogram.count, all.length);
      assert.ok(got >= exact * (1 - 1e-9) && got <= exact * 1.0101, `${got} for ${exact}`);
    }),
  );
});

test('nothing measured is nothing, and what is longer than an hour counts as an hour', () => {
  const histogram = createLatencyHistogram();
  assert.equal(histogram.quantile(0.99), 0);
  histogram.add(1e12);
  assert.ok(histogram.quantile(0.5) < 3_700_000);
});
