import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KernelError, TOLERANCE_EXACT } from '../kernel.ts';
import { createDraw, sampleTerm } from '../suite/samples.ts';
import { addToAccumulated, createAccumulated } from './accumulated.ts';
import { checkTerm } from './check-request.ts';
import type { CheckedSum } from './checked-sum.ts';
import { createHeap } from './heap.ts';
import { type Decomposed, decomposeAccumulated } from './held.ts';
import { planOf, shapeOf } from './plan.ts';

const heap = createHeap();
const [OUT, IN, RANK] = [150, 130, 6];
const request = {
  module: 'layers.0.mlp.up_proj',
  out: OUT,
  in: IN,
  rank: RANK,
  rankSum: 140,
  completionSeed: 1,
  tolerance: TOLERANCE_EXACT,
};

/** A random W, whose spectrum is flat: one block of the three that span it says little. */
function decomposed(blocksAllowed: number, memoryBytes: number): Decomposed {
  const held = createAccumulated(OUT, IN, request.rankSum);
  const term = sampleTerm(createDraw(1), { out: OUT, in: IN, rank: request.rankSum, coefficient: 1 });
  const size = checkTerm(request, term);
  addToAccumulated(heap, held, term, 1, size.aExponent);
  const sum: CheckedSum = {
    module: request.module,
    out: OUT,
    in: IN,
    rank: RANK,
    seed: 1n,
    exponent: 0,
    magnitude: size.norms,
    roundoff: 2 ** -24,
  };
  return decomposeAccumulated(heap, held, sum, request, memoryBytes, blocksAllowed);
}

const bytesOf = (method: 'accumulated' | 'dense') => planOf(method, shapeOf(request)).scratchBytes;
const enough = bytesOf('accumulated') + bytesOf('dense');

test('an iteration that may not go on gives way to the dense method where memory allows', () => {
  const whole = decomposed(3, enough);
  assert.deepEqual([whole.method, whole.blocks, whole.excess], ['accumulated', 3, 0]);
  for (const blocks of [1, 2]) {
    const fallback = decomposed(blocks, enough);
    assert.deepEqual([fallback.method, fallback.blocks, fallback.excess], ['dense', blocks, 0]);
    for (const [j, value] of fallback.answer.values.entries())
      assert.ok(Math.abs(value - whole.answer.values[j]!) < 1e-6 * whole.answer.values[0]!, `value ${j}`);
  }
});

test('where memory does not allow it, the error says how far it came, what is allowed and what to do', () => {
  const isTold = (error: unknown): true => {
    assert.ok(error instanceof KernelError, String(error));
    assert.equal(error.code, 'notConverged');
    const numbers =
      /"layers\.0\.mlp\.up_proj": the method accumulated came to (\S+) times the smallest error in 2 blocks; 1\.000001 is allowed/;
    const reached = Number(numbers.exec(error.message)?.[1]);
    assert.ok(reached > TOLERANCE_EXACT && reached < 1.1, error.message);
    assert.ok(error.message.endsWith(`allowed ${bytesOf('dense')} bytes of memory, or for a larger tolerance`));
    return true;
  };
  assert.throws(() => decomposed(2, enough - 1), isTold);
});

test('what the iteration takes at most is within the plan', () => {
  const [out, cols, rank, rankSum] = [700, 520, 8, 900];
  const own = createHeap();
  const wide = { ...request, out, in: cols, rank, rankSum };
  const held = createAccumulated(out, cols, rankSum);
  const term = sampleTerm(createDraw(2), { out, in: cols, rank: rankSum, coefficient: 1 });
  const { norms, aExponent } = checkTerm(wide, term);
  addToAccumulated(own, held, term, 1, aExponent);
  const sum = { module: 'm', out, in: cols, rank, seed: 1n, exponent: 0, magnitude: norms, roundoff: 2 ** -24 };
  const { method } = decomposeAccumulated(own, held, sum, { ...wide, tolerance: TOLERANCE_EXACT }, 2 ** 31);
  assert.equal(method, 'accumulated');
  const arrays = [held.w, held.groupA, held.groupB].reduce((bytes, array) => bytes + array.byteLength, 0);
  const { scratchBytes } = planOf('accumulated', shapeOf(wide));
  assert.ok(own.heldBytes + arrays <= scratchBytes, `${own.heldBytes} and ${arrays} of ${scratchBytes}`);
});
