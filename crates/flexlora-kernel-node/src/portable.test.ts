import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPortableKernel } from './portable-kernel.ts';
import { assertNear } from './suite/assert-near.ts';
import { iterationCases } from './suite/iteration.ts';
import { createOracle } from './suite/oracle.ts';
import { createDraw, requestOf, sampleFactor, termOf } from './suite/samples.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('portable', createPortableKernel);

const kernel = createPortableKernel();
describe('portable kernel: the iteration on W', () => {
  iterationCases(() => kernel, 'accumulated');

  test('directions that a block loses to rounding are made up for by one block more', async () => {
    for (const side of [96, 128, 144]) {
      const [rank, draw] = [side / 4, createDraw(side)];
      const values = (): Float64Array => Float64Array.from({ length: side * rank }, draw);
      const [left, right] = [values(), values()];
      // What all terms share falls as 0.85^j, and each has its own noise.
      const terms = [1, 2, 3, 4].map((k) => {
        const b = sampleFactor('F32', side, rank, (at) => left[at]! * 0.85 ** (at % rank) + 0.02 * draw());
        const a = sampleFactor('F32', rank, side, (at) => right[at]! + 0.02 * draw());
        return termOf(`agent-${k}`, k / 8, b, a);
      });
      const request = { ...requestOf(side, side, side / 2, terms), method: 'accumulated' } as const;
      const answer = await kernel.truncate(request);
      assert.deepEqual([answer.method, answer.fallbackFrom], ['accumulated', null]);
      assertNear(request, answer, createOracle(request).values);
    }
  });
});
