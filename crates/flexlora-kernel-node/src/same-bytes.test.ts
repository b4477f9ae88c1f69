import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Kernel } from './kernel.ts';
import { createNativeKernel } from './native-kernel.ts';
import { bytesOf } from './suite/assert-exact.ts';
import { nativeSkipReason } from './suite/native-skip.ts';
import { createDraw, requestOf, type SampleRequest, sampleTerm } from './suite/samples.ts';

/** Σ 700: more than the 512 columns that are multiplied at once, and the third term lies across that border. */
const RANKS = [33, 256, 300, 1, 64, 46];
/** Up and down, so that the scale of the sum moves while it grows. */
const COEFFICIENTS = [0.5, -3, 2 ** 20, 2 ** -7, 1, -0.25];
const DTYPES = ['F32', 'BF16', 'F16'] as const;

/** More than one panel of 48 components, and sides that no tile divides. */
function sampleRequest(method: 'factored' | 'accumulated'): SampleRequest {
  const draw = createDraw(700);
  const [out, cols] = [150, 130];
  const terms = RANKS.map((rank, k) =>
    sampleTerm(draw, {
      out,
      in: cols,
      rank,
      coefficient: COEFFICIENTS[k]!,
      dtype: DTYPES[k % DTYPES.length]!,
      label: `agent-${k}`,
    }),
  );
  return { ...requestOf(out, cols, 50, terms), method };
}

/** `lengths` of the batches; what is left over is the last one. */
async function inBatches(
  kernel: Kernel,
  { terms, ...request }: SampleRequest,
  lengths: readonly number[],
): Promise<readonly unknown[]> {
  const sum = kernel.beginSum({ ...request, rankSum: RANKS.reduce((all, rank) => all + rank, 0) });
  let first = 0;
  for (const length of [...lengths, terms.length]) {
    await sum.add(terms.slice(first, first + length));
    first += length;
  }
  const answer = await sum.truncate();
  assert.deepEqual([answer.method, answer.fallbackFrom], [request.method, null]);
  return bytesOf(answer);
}

describe('the native kernel gives the same bytes', { skip: nativeSkipReason() ?? false }, () => {
  for (const method of ['factored', 'accumulated'] as const) {
    it(`${method}, with any number of threads and however the terms are batched`, async () => {
      const request = sampleRequest(method);
      const kernels = [1, 2, 3].map((threads) => createNativeKernel({ threads }));
      const alone = await inBatches(kernels[0]!, request, []);
      for (const kernel of kernels)
        assert.deepEqual(
          await inBatches(
            kernel,
            request,
            RANKS.map(() => 1),
          ),
          alone,
        );
      const drawn = fc.record({
        kernel: fc.constantFrom(...kernels),
        lengths: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 6 }),
      });
      const sameBytes = fc.asyncProperty(drawn, async ({ kernel, lengths }) =>
        assert.deepEqual(await inBatches(kernel, request, lengths), alone),
      );
      await fc.assert(sameBytes, { numRuns: 24 });
    });
  }
});
