import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Kernel, KernelError, type SumRequest, TOLERANCE_EXACT, type TruncatedSum } from '../kernel.ts';
import { assertRows, bytesOf } from './assert-exact.ts';
import { assertNear } from './assert-near.ts';
import { createOracle } from './oracle.ts';
import {
  createDraw,
  requestOf,
  type SampleRequest,
  type SampleTerm,
  sampleFactor,
  sampleTerm,
  termOf,
} from './samples.ts';
import { spectralTerms, spectraOf } from './spectra.ts';

/** The methods that iterate in float32; not every kernel has every one of them. */
export type IteratedMethod = 'factored' | 'accumulated';

const descending = (values: readonly number[]): Float64Array => Float64Array.from(values).sort((a, b) => b - a);

/**
 * Where the first block spans everything, the basis is W times random signs, rounded to float32, and no later block mends what the condition of these
 * signs makes of that rounding. Measured: 1.3e-6 at 96 × 48.
 */
const ROUNDING_OF_ONE_BLOCK = 2e-6;

export function iterationCases(kernel: () => Kernel, method: IteratedMethod): void {
  const iterated = (
    out: number,
    cols: number,
    rank: number,
    terms: readonly SampleTerm[],
    tolerance?: number,
  ): SampleRequest => ({
    ...requestOf(out, cols, rank, terms),
    method,
    ...(tolerance !== undefined && { tolerance }),
  });

  const answerTo = async (request: SampleRequest): Promise<TruncatedSum> => {
    const answer = await kernel().truncate(request);
    assert.deepEqual([answer.method, answer.converged, answer.fallbackFrom], [method, true, null]);
    assert.equal(answer.plan.method, method);
    return answer;
  };

  /** `rounding` as a share of ‖W‖_F, where it is not that of `assertNear`. */
  const assertNearOracle = async (request: SampleRequest, rounding?: number): Promise<void> => {
    const { values, norm } = createOracle(request);
    assertNear(request, await answerTo(request), values, rounding && rounding * norm);
  };

  for (const [name, spectrum] of Object.entries(spectraOf(260))) {
    test(`${name}: the error at every rank is within the tolerance of the smallest`, async () => {
      for (const [out, cols] of [
        [400, 300],
        [270, 330],
      ] as const) {
        const terms = spectralTerms({ out, in: cols, spectrum, terms: 5 });
        for (const tolerance of [1.001, TOLERANCE_EXACT]) {
          const request = iterated(out, cols, 20, terms, tolerance);
          const answer = await answerTo(request);
          assertNear(request, answer, descending(spectrum));
          assert.ok(
            answer.blocks >= 1 && answer.blocks <= Math.ceil(Math.min(out, cols) / 48) + 1,
            `${answer.blocks} blocks`,
          );
          assert.ok(answer.operations > 2 * out * cols, `${answer.operations} operations`);
        }
      }
    });
  }

  test('values that stand close above a floor are found however far the large ones are above them', async () => {
    const large = Array.from({ length: 24 }, (_, j) => 10 ** (-j / 6));
    const spectrum = [...large, ...Array.from({ length: 276 }, (_, j) => 1e-4 * (1 - j / 400))];
    for (const rank of [32, 64]) {
      const request = iterated(420, 300, rank, spectralTerms({ out: 420, in: 300, spectrum, terms: 5 }));
      assertNear(request, await answerTo(request), descending(spectrum));
    }
  });

  test('values that are repeated more often than a block has columns are all found', async () => {
    for (const [spectrum, ranks] of [
      [new Array(60).fill(1), [41, 60, 80]],
      [
        [...new Array(60).fill(1), ...new Array(60).fill(0.5)],
        [50, 70, 100],
      ],
      [
        [...new Array(5).fill(1), ...new Array(110).fill(0.1)],
        [60, 100],
      ],
    ] as const) {
      const terms = spectralTerms({ out: 150, in: 120, spectrum, terms: 2 });
      for (const rank of ranks) {
        const request = iterated(150, 120, rank, terms);
        assertNear(request, await kernel().truncate(request), descending(spectrum));
      }
    }
  });

  test('a basis that spans everything is as good as any', async () => {
    for (const [out, cols, ranks] of [
      [96, 40, [8, 30, 16, 40]],
      [96, 48, [60, 60]],
      [40, 96, [4, 8, 16]],
      [64, 64, [50, 50]],
      [7, 5, [3, 9]],
    ] as const) {
      const draw = createDraw(out + cols);
      const terms = ranks.map((rank, k) => sampleTerm(draw, { out, in: cols, rank, coefficient: (k + 1) / 16 }));
      for (const rank of [1, 5, 24, 200])
        await assertNearOracle(iterated(out, cols, rank, terms, TOLERANCE_EXACT), ROUNDING_OF_ONE_BLOCK);
    }
  });

  test('rows and columns of one are found', async () => {
    for (const [out, cols] of [[1, 70] as const, [70, 1] as const, [1, 1] as const, [2, 1] as const]) {
      const draw = createDraw(out);
      const terms = [1, 2].map((rank) => sampleTerm(draw, { out, in: cols, rank, coefficient: 0.5 }));
      await assertNearOracle(iterated(out, cols, 3, terms));
    }
  });

  test('every type of value is read for what it is', async () => {
    for (const dtype of ['F32', 'F16', 'BF16'] as const) {
      for (const rank of [1, 6, 33]) {
        const term = sampleTerm(createDraw(rank), { out: 57, in: 41, rank, coefficient: 2, dtype });
        await assertNearOracle(iterated(57, 41, 6, [term, { ...term, coefficient: 1 }]));
      }
    }
  });

  test('components that W does not have are completed with rows that can be trained', async () => {
    const spectrum = [4, 2, 1, 0.5, 0.25];
    for (const [out, cols] of [[120, 100] as const, [60, 80] as const]) {
      const request = iterated(out, cols, 12, spectralTerms({ out, in: cols, spectrum, terms: 2 }));
      const answer = await answerTo(request);
      assertNear(request, answer, descending(spectrum));
      assert.deepEqual([...answer.singularValues.slice(5)], new Array(7).fill(0));
      assert.ok(answer.singularValues[4]! > 0 && answer.u.subarray(5 * out).every((x) => x === 0));
    }
  });

  test('terms of weight zero and all-zero factors change nothing; nothing else is zero', async () => {
    const [out, cols] = [60, 50];
    const draw = createDraw(5);
    const real = sampleTerm(draw, { out, in: cols, rank: 3, coefficient: 1.5 });
    const unweighted = sampleTerm(draw, { out, in: cols, rank: 3, coefficient: 0 });
    const zeros = sampleFactor('F16', out, 3, () => 0);
    const untrained = termOf('untrained', 2, zeros, sampleFactor('F16', 3, cols, draw));
    await assertNearOracle(iterated(out, cols, 5, [unweighted, untrained, real]));
    for (const terms of [[unweighted, untrained], []]) {
      const request = iterated(out, cols, 5, terms);
      const answer = await answerTo(request);
      assertRows(request, answer);
      assert.deepEqual([...answer.singularValues, answer.energyTotal, answer.residual], new Array(7).fill(0));
    }
  });

  test('terms that cancel leave no noise behind', async () => {
    for (const [side, rank] of [[100, 40] as const, [50, 60] as const]) {
      const plus = sampleTerm(createDraw(6), { out: side, in: side, rank, coefficient: 3 });
      const request = iterated(side, side, 3, [plus, { ...plus, coefficient: -3 }]);
      const answer = await answerTo(request);
      assertRows(request, answer);
      assert.deepEqual([...answer.singularValues, answer.energyTotal, answer.residual], [0, 0, 0, 0, 0]);
    }
  });

  test('what is left of terms that nearly cancel is found to rounding, or refused where float32 does not resolve it', async () => {
    const [side, rank] = [90, 10];
    const draw = createDraw(11);
    const plus = sampleTerm(draw, { out: side, in: side, rank, coefficient: 1 });
    const small = sampleTerm(draw, { out: side, in: side, rank, coefficient: 1 });
    const nearly = (share: number, kept: number) =>
      iterated(side, side, kept, [plus, { ...plus, coefficient: -1 }, { ...small, coefficient: share }]);
    const request = nearly(0.05, 8);
    const { values, norm } = createOracle(request);
    assertNear(request, await answerTo(request), values, 1e-5 * norm);
    const refused = (error: unknown) =>
      error instanceof KernelError &&
      error.code === 'notConverged' &&
      /q_proj.*cancel to .*of their size.*method dense/.test(error.message);
    if (method === 'accumulated') await assert.rejects(kernel().truncate(nearly(1e-4, rank)), refused);
  });

  test('the order of magnitude does not matter, and a power of two changes no bit', async () => {
    const [out, cols] = [80, 60];
    for (const scale of [1e-12, 1e12]) {
      const draw = createDraw(8);
      const terms = [1, -0.5].map((c) => sampleTerm(draw, { out, in: cols, rank: 40, coefficient: c * scale }));
      await assertNearOracle(iterated(out, cols, 8, terms));
    }
    const term = sampleTerm(createDraw(12), { out, in: cols, rank: 30, coefficient: 1 });
    const plain = await answerTo(iterated(out, cols, 4, [term]));
    for (const power of [-900, -40, 500]) {
      const scaled = await answerTo(iterated(out, cols, 4, [{ ...term, coefficient: 2 ** power }]));
      assert.deepEqual(
        scaled.singularValues,
        plain.singularValues.map((s) => s * 2 ** power),
      );
      assert.deepEqual([scaled.u, scaled.v, scaled.residual], [plain.u, plain.v, plain.residual]);
    }
  });

  test('denormal and very large factors count for what they are', async () => {
    for (const factor of [1e-44, 1e-30, 1e30]) {
      for (const isB of [true, false]) {
        const draw = createDraw(9);
        const b = sampleFactor('F32', 68, 20, () => draw() * (isB ? factor : 1));
        const a = sampleFactor('F32', 20, 55, () => draw() * (isB ? 1 : factor));
        await assertNearOracle(iterated(68, 55, 6, [termOf('extreme', 1, b, a), termOf('again', -0.5, b, a)]));
      }
    }
  });

  for (const [out, cols, ranks] of [
    [90, 70, [4, 1, 7, 9]],
    [36, 60, [200, 100, 150, 5]],
    [130, 120, [64, 192, 256, 1]],
  ] as const) {
    test(`${out} x ${cols}, ranks ${ranks}: the batches leave no trace in the answer`, async () => {
      const draw = createDraw(out);
      // Up and down, so that the scale of the sum moves while it grows.
      const terms = ranks.map((rank, k) =>
        sampleTerm(draw, { out, in: cols, rank, coefficient: [0.5, -3, 2 ** 20, 2 ** -7][k]! }),
      );
      const request = iterated(out, cols, 12, terms);
      const whole = bytesOf(await answerTo(request));
      for (const lengths of [
        [1, 1, 1, 1],
        [0, 2, 0, 2],
        [3, 1],
        [4, 0],
      ]) {
        const rankSum = ranks.reduce<number>((sum, rank) => sum + rank, 0);
        const sum = kernel().beginSum({ ...withoutTerms(request), rankSum });
        let first = 0;
        for (const length of lengths) {
          await sum.add(terms.slice(first, first + length));
          first += length;
        }
        assert.deepEqual(bytesOf(await sum.truncate()), whole, `${lengths}`);
      }
      const others = await Promise.all([1, 2, 3].map(() => kernel().truncate(request)));
      for (const other of others) assert.deepEqual(bytesOf(other), whole);
    });
  }

  test('the plan of a sum says what it will take before it begins', () => {
    const request = { ...withoutTerms(requestOf(3000, 2000, 40, [])), method, rankSum: 5000 };
    const sum = kernel().beginSum(request);
    const { plan } = sum;
    sum.release();
    assert.deepEqual(plan, kernel().beginSum(request).plan);
    assert.equal(plan.method, method);
    assert.ok(plan.blocks >= 1 && plan.operations > 2 * 3000 * 2000 && plan.seconds > 0);
    assert.ok(plan.scratchBytes > 4 * 3000 * 2000 && plan.scratchBytes < 2 ** 31);
  });

  test('memory beyond what is allowed is refused with both numbers', () => {
    const request = { ...withoutTerms(requestOf(40_000, 40_000, 8, [])), method, rankSum: 30_000 };
    const isRefused = (error: unknown) =>
      error instanceof KernelError &&
      error.code === 'tooLarge' &&
      new RegExp(`q_proj.*40000 x 40000 takes \\d+ bytes by the method ${method}; allowed are ${2 ** 31}`).test(
        error.message,
      );
    assert.throws(() => kernel().beginSum(request), isRefused);
  });
}

function withoutTerms({ terms: _, ...request }: SampleRequest): Omit<SumRequest, 'rankSum'> {
  return request;
}
