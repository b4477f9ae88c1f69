import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KernelError, type KernelSum } from './kernel.ts';
import { createNativeKernel } from './native-kernel.ts';
import { iterationCases } from './suite/iteration.ts';
import { nativeSkipReason } from './suite/native-skip.ts';
import { createDraw, requestOf, sampleFactor, sampleTerm } from './suite/samples.ts';
import { kernelSuite } from './suite.ts';

const skip = nativeSkipReason();
if (skip === null) {
  kernelSuite('native', createNativeKernel);
  const kernel = createNativeKernel();
  for (const method of ['accumulated', 'factored'] as const)
    describe(`native kernel: the iteration, ${method}`, () => iterationCases(() => kernel, method));
} else test('native kernel', { skip });

test('what a sum held is free when it is released and when a call failed', { skip: skip ?? false }, async () => {
  const side = 1024;
  // A group of columns and W: 12 MB for each sum, of which every page is written.
  const heldBytesMin = 12_000_000;
  const term = sampleTerm(createDraw(1), { out: side, in: side, rank: 256, coefficient: 1 });
  const nan = { ...term, a: sampleFactor('F32', 256, side, () => Number.NaN).factor };
  const { terms: _, ...request } = requestOf(side, side, 4, []);
  const kernel = createNativeKernel();
  const kept: KernelSum[] = [];
  const beginAndEnd = async (sums: number): Promise<void> => {
    for (let k = 0; k < sums; k += 1) {
      const sum = kernel.beginSum({ ...request, rankSum: side });
      kept.push(sum);
      await sum.add([term]);
      if (k % 2 === 0) sum.release();
      else await assert.rejects(sum.add([nan]), KernelError);
    }
  };
  // The first ones fill what the allocator keeps for each thread.
  await beginAndEnd(16);
  const before = process.memoryUsage.rss();
  await beginAndEnd(40);
  const grown = process.memoryUsage.rss() - before;
  assert.equal(kept.length, 56);
  assert.ok(grown < 10 * heldBytesMin, `40 sums that ended still hold ${grown} bytes`);
});
