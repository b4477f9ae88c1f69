import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FactorDtype, Kernel } from '../kernel.ts';
import { assertExact, bytesOf } from './assert-exact.ts';
import { createDraw, requestOf, type SampleRequest, sampleTerm } from './samples.ts';

const dtypes: readonly FactorDtype[] = ['F32', 'F16', 'BF16'];

const anyRequest = fc
  .record({
    out: fc.integer({ min: 1, max: 24 }),
    in: fc.integer({ min: 1, max: 24 }),
    rank: fc.integer({ min: 1, max: 30 }),
    seed: fc.integer(),
    terms: fc.array(
      fc.record({
        rank: fc.integer({ min: 1, max: 9 }),
        coefficient: fc.double({ min: -8, max: 8, noNaN: true }).filter((c) => c === 0 || Math.abs(c) > 1e-3),
        dtype: fc.constantFrom(...dtypes),
      }),
      { maxLength: 5 },
    ),
  })
  .map(({ out, in: cols, rank, seed, terms }) => {
    const draw = createDraw(seed);
    return requestOf(
      out,
      cols,
      rank,
      terms.map((term) => sampleTerm(draw, { out, in: cols, ...term })),
    );
  });

function mixedRequest(out: number, cols: number, ranks: readonly number[], rank: number): SampleRequest {
  const draw = createDraw(out * 1000 + cols);
  const terms = ranks.map((termRank, k) =>
    sampleTerm(draw, { out, in: cols, rank: termRank, coefficient: (k + 1) / 16 }),
  );
  return requestOf(out, cols, rank, terms);
}

export function exactnessCases(kernel: () => Kernel): void {
  test('any sum is truncated exactly at every rank', async () => {
    await fc.assert(
      fc.asyncProperty(anyRequest, async (request) => assertExact(request, await kernel().truncate(request))),
      { numRuns: 60 },
    );
  });

  for (const [out, cols] of [[96, 40] as const, [40, 96] as const, [64, 64] as const]) {
    test(`${out} x ${cols}: mixed ranks and coefficients are exact below and above the short side`, async () => {
      for (const ranks of [
        [4, 8, 16],
        [8, 30, 16, 40],
      ]) {
        const request = mixedRequest(out, cols, ranks, 24);
        assertExact(request, await kernel().truncate(request));
      }
    });
  }

  test('one client alone gets its own product back', async () => {
    for (const dtype of dtypes) {
      const term = sampleTerm(createDraw(4), { out: 32, in: 20, rank: 6, coefficient: 2, dtype });
      const request = requestOf(32, 20, 6, [term]);
      const answer = await kernel().truncate(request);
      assertExact(request, answer);
      assert.ok(answer.residual < 1e-6, `nothing is dropped, but the residual is ${answer.residual}`);
    }
  });

  test('the order of magnitude of the coefficients does not matter', async () => {
    for (const scale of [1e-12, 1, 1e12]) {
      const draw = createDraw(8);
      const terms = [1, -0.5].map((c) => sampleTerm(draw, { out: 30, in: 22, rank: 5, coefficient: c * scale }));
      const request = requestOf(30, 22, 8, terms);
      assertExact(request, await kernel().truncate(request));
    }
  });

  test('the same input gives the same bytes, alone or among other calls', async () => {
    for (const ranks of [
      [4, 8],
      [20, 20, 20],
    ]) {
      const request = mixedRequest(48, 36, ranks, 12);
      const first = await kernel().truncate(request);
      const others = await Promise.all(Array.from({ length: 4 }, () => kernel().truncate(request)));
      for (const other of others) assert.deepEqual(bytesOf(other), bytesOf(first));
    }
  });

  test('the input is left as it was', async () => {
    const request = mixedRequest(12, 10, [3, 3], 4);
    const before = request.terms.map(({ a, b }) => [a.bytes.slice(), b.bytes.slice()]);
    await kernel().truncate(request);
    assert.deepEqual(
      request.terms.map(({ a, b }) => [a.bytes, b.bytes]),
      before,
    );
  });

  test('factors may lie anywhere in a larger buffer', async () => {
    const request = mixedRequest(12, 10, [3], 3);
    const moved = request.terms.map((term) => ({ ...term, a: { ...term.a, bytes: shifted(term.a.bytes) } }));
    const answer = await kernel().truncate({ ...request, terms: moved });
    assert.deepEqual(bytesOf(answer), bytesOf(await kernel().truncate(request)));
  });
}

function shifted(bytes: Uint8Array): Uint8Array {
  const larger = Buffer.alloc(bytes.length + 7, 0xff);
  larger.set(bytes, 3);
  return larger.subarray(3, 3 + bytes.length);
}
