import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kernel } from '../kernel.ts';
import { assertClose, assertExact, assertRows } from './assert-exact.ts';
import { createDraw, requestOf, sampleFactor, sampleTerm, termOf } from './samples.ts';

/** The first entries of rows 0 and 1 that seed 7 gives for length 12; test/conformance/kernel/make_vectors.py prints them. */
const FIRST_OF_SEED_7 = [0.4326879602349913, 0.0471133022915561] as const;

export function degenerateCases(kernel: () => Kernel): void {
  test('a sum of nothing has orthonormal rows, a zero u and no residual', async () => {
    for (const [out, cols, rank] of [
      [6, 9, 4] as const,
      [9, 6, 100] as const,
      [1, 1, 1] as const,
      [32, 32, 32] as const,
    ]) {
      const request = requestOf(out, cols, rank, []);
      const answer = await kernel().truncate(request);
      assertRows(request, answer);
      assert.ok(answer.singularValues.every((s) => s === 0) && answer.u.every((x) => x === 0));
      assert.deepEqual([answer.energyKept, answer.energyTotal, answer.residual], [0, 0, 0]);
    }
  });

  test('a completion depends on the seed and on nothing else', async () => {
    const request = requestOf(8, 12, 3, []);
    const rows = async (completionSeed: number) => (await kernel().truncate({ ...request, completionSeed })).v;
    assert.deepEqual(await rows(7), await rows(7));
    assert.notDeepEqual(await rows(7), await rows(8));
    const [first, second] = [(await rows(7))[0]!, (await rows(7))[12]!];
    assertClose(first, FIRST_OF_SEED_7[0], 1e-6, 'row 0');
    assertClose(second, FIRST_OF_SEED_7[1], 1e-6, 'row 1');
  });

  test('a sum of less rank than asked for is completed with rows that can be trained', async () => {
    for (const [out, cols] of [[20, 14] as const, [14, 20] as const, [6, 6] as const]) {
      const term = sampleTerm(createDraw(3), { out, in: cols, rank: 2, coefficient: 1 });
      for (const terms of [[term], [term, term], [term, term, term, term]]) {
        const request = requestOf(out, cols, 6, terms);
        const answer = await kernel().truncate(request);
        assertExact(request, answer);
        assert.ok(answer.singularValues[1]! > 0 && answer.singularValues.slice(2).every((s) => s === 0));
        assert.ok(answer.u.subarray(2 * out).every((x) => x === 0));
      }
    }
  });

  test('a client of weight zero and a client with an all-zero factor change nothing', async () => {
    for (const side of [24, 7]) {
      const draw = createDraw(5);
      const shape = { out: side, in: side, rank: 3 };
      const real = sampleTerm(draw, { ...shape, coefficient: 1.5 });
      const unweighted = sampleTerm(draw, { ...shape, coefficient: 0 });
      const untrained = termOf(
        'untrained',
        2,
        sampleFactor('F16', side, 3, () => 0),
        sampleFactor('F16', 3, side, draw),
      );
      const request = requestOf(side, side, 5, [unweighted, untrained, real]);
      assertExact(request, await kernel().truncate(request));
      const nothing = await kernel().truncate(requestOf(side, side, 5, [unweighted, untrained]));
      assert.ok(nothing.singularValues.every((s) => s === 0));
    }
  });

  test('terms that cancel leave no noise behind', async () => {
    for (const [side, rank] of [[24, 4] as const, [8, 9] as const]) {
      const plus = sampleTerm(createDraw(6), { out: side, in: side, rank, coefficient: 3 });
      const request = requestOf(side, side, 3, [plus, { ...plus, coefficient: -3 }]);
      const answer = await kernel().truncate(request);
      assertRows(request, answer);
      assert.deepEqual([...answer.singularValues, answer.energyTotal, answer.residual], [0, 0, 0, 0, 0]);
    }
  });

  test('equal singular values are exact', async () => {
    for (const side of [6, 16]) {
      for (const spectrum of [[2, 2, 2, 2, 2, 2] as const, [3, 3, 1, 1, 1, 2 ** -10] as const]) {
        const b = sampleFactor('F32', side, 6, (i) => (Math.floor(i / 6) === i % 6 ? spectrum[i % 6]! : 0));
        const a = sampleFactor('F32', 6, side, (i) => (Math.floor(i / side) === i % side ? 1 : 0));
        const request = requestOf(side, side, 4, [termOf('diagonal', 1, b, a)]);
        assertExact(request, await kernel().truncate(request));
      }
    }
  });

  test('rows and columns of one are exact', async () => {
    for (const [out, cols] of [[1, 17] as const, [17, 1] as const, [1, 1] as const, [2, 1] as const]) {
      const draw = createDraw(out);
      const terms = [1, 2].map((rank) => sampleTerm(draw, { out, in: cols, rank, coefficient: 0.5 }));
      const request = requestOf(out, cols, 3, terms);
      assertExact(request, await kernel().truncate(request));
    }
  });

  test('a coefficient times a power of two changes the values by just that, and no vector', async () => {
    for (const side of [16, 5]) {
      const term = sampleTerm(createDraw(12), { out: side, in: side, rank: 6, coefficient: 1 });
      const plain = await kernel().truncate(requestOf(side, side, 4, [term]));
      for (const power of [-900, -600, 500]) {
        const scaled = await kernel().truncate(requestOf(side, side, 4, [{ ...term, coefficient: 2 ** power }]));
        assert.deepEqual(
          scaled.singularValues,
          plain.singularValues.map((s) => s * 2 ** power),
        );
        assert.deepEqual([scaled.u, scaled.v, scaled.residual], [plain.u, plain.v, plain.residual]);
      }
    }
  });

  test('subnormal halves count for what they are', async () => {
    const draw = createDraw(10);
    const b = sampleFactor('F16', 16, 3, () => draw() * 2 ** -15);
    const a = sampleFactor('F16', 3, 12, draw);
    const request = requestOf(16, 12, 3, [termOf('subnormal', 1, b, a)]);
    assertExact(request, await kernel().truncate(request));
  });

  test('denormal and very large factors are as exact as any', async () => {
    for (const factor of [1e-44, 1e-30, 1e30]) {
      const draw = createDraw(9);
      const b = sampleFactor('F32', 18, 4, () => draw() * factor);
      const a = sampleFactor('F32', 4, 15, draw);
      const request = requestOf(18, 15, 4, [termOf('extreme', 1, b, a)]);
      assertExact(request, await kernel().truncate(request));
    }
  });
}
