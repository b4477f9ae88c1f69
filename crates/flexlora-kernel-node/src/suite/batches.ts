import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Kernel, KernelError, type KernelErrorCode, type KernelSum, type TruncatedSum } from '../kernel.ts';
import { assertExact, bytesOf } from './assert-exact.ts';
import { createDraw, requestOf, type SampleRequest, type SampleTerm, sampleFactor, sampleTerm } from './samples.ts';

/** Both methods; in the last one a term crosses the columns that a kernel may multiply at once. */
const SHAPES = [
  { out: 40, in: 30, ranks: [4, 1, 7, 9] },
  { out: 30, in: 40, ranks: [20, 3, 40, 8] },
  { out: 36, in: 24, ranks: [200, 100, 150, 5] },
] as const;

/** Coefficients go up and down, so that the scale of the sum moves while it grows. */
const COEFFICIENTS = [0.5, -3, 2 ** 20, 2 ** -7];

function sampleRequest({ out, in: cols, ranks }: (typeof SHAPES)[number]): SampleRequest {
  const draw = createDraw(out);
  const terms = ranks.map((rank, k) =>
    sampleTerm(draw, { out, in: cols, rank, coefficient: COEFFICIENTS[k]!, label: `agent-${k}` }),
  );
  return requestOf(out, cols, 12, terms);
}

function begin(kernel: Kernel, { terms, ...request }: SampleRequest): KernelSum {
  return kernel.beginSum({ ...request, rankSum: terms.reduce((sum, term) => sum + term.a.rows, 0) });
}

/** `lengths` of the batches; what is left over is the last one. */
async function inBatches(
  kernel: Kernel,
  request: SampleRequest,
  lengths: readonly number[],
): Promise<readonly unknown[]> {
  const sum = begin(kernel, request);
  let first = 0;
  for (const length of [...lengths, request.terms.length]) {
    await sum.add(request.terms.slice(first, first + length));
    first += length;
  }
  return bytesOf(await sum.truncate());
}

const refusedAs =
  (code: KernelErrorCode, ...parts: readonly string[]) =>
  (error: unknown): true => {
    assert.ok(error instanceof KernelError, String(error));
    assert.equal(error.code, code, error.message);
    for (const part of parts) assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
    return true;
  };

const isEnded = refusedAs('internal', 'layers.0.self_attn.q_proj', 'begin it again');

async function assertEnded(sum: KernelSum, terms: readonly SampleTerm[]): Promise<void> {
  await assert.rejects(sum.add(terms), isEnded);
  await assert.rejects(sum.truncate(), isEnded);
}

export function batchCases(kernel: () => Kernel): void {
  for (const shape of SHAPES) {
    test(`${shape.out} x ${shape.in}, ranks ${shape.ranks}: the batches leave no trace in the answer`, async () => {
      const request = sampleRequest(shape);
      const whole = await kernel().truncate(request);
      assertExact(request, whole);
      for (const lengths of [[], [1, 1, 1, 1], [0, 2, 0]])
        assert.deepEqual(await inBatches(kernel(), request, lengths), bytesOf(whole));
      const anyLengths = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 6 });
      const sameBytes = fc.asyncProperty(anyLengths, async (lengths) =>
        assert.deepEqual(await inBatches(kernel(), request, lengths), bytesOf(whole)),
      );
      await fc.assert(sameBytes, { numRuns: 8 });
    });
  }

  test('sums that grow side by side do not touch each other', async () => {
    const requests = SHAPES.map(sampleRequest);
    const sums = requests.map((request) => begin(kernel(), request));
    for (const k of COEFFICIENTS.keys())
      await Promise.all(sums.map((sum, i) => sum.add(requests[i]!.terms.slice(k, k + 1))));
    const answers = await Promise.all(sums.map((sum) => sum.truncate()));
    for (const [i, answer] of answers.entries())
      assert.deepEqual(bytesOf(answer), bytesOf(await kernel().truncate(requests[i]!)));
  });

  test('ranks other than declared are refused with both numbers', async () => {
    for (const shape of SHAPES) {
      const request = sampleRequest(shape);
      const declared = shape.ranks.reduce((sum, rank) => sum + rank, 0);
      const more = begin(kernel(), request);
      await more.add(request.terms);
      const tooMany = refusedAs('badRank', String(declared), String(declared + shape.ranks[0]));
      await assert.rejects(more.add(request.terms.slice(0, 1)), tooMany);
      await assertEnded(more, []);
      const less = begin(kernel(), request);
      await less.add(request.terms.slice(1));
      await assert.rejects(less.truncate(), refusedAs('badRank', String(declared), String(declared - shape.ranks[0])));
      await assertEnded(less, []);
    }
  });

  test('rank sums that are no whole number, or that no machine holds, are refused at once', () => {
    const { terms: _, ...request } = sampleRequest(SHAPES[0]);
    for (const rankSum of [-1, 1.5, Number.NaN])
      assert.throws(() => kernel().beginSum({ ...request, rankSum }), refusedAs('badRank', 'rankSum', String(rankSum)));
    const huge = { ...request, out: 2 ** 29, in: 2 ** 29, rank: 1, rankSum: 2 ** 28 };
    assert.throws(() => kernel().beginSum(huge), refusedAs('tooLarge', String(2 ** 28), String(2 ** 31)));
    assert.throws(() => kernel().beginSum({ ...request, rank: 0, rankSum: 4 }), refusedAs('badRank', 'rank is 0'));
  });

  test('a value of the second batch that is not finite is named, and ends the sum', async () => {
    for (const shape of SHAPES) {
      const request = sampleRequest(shape);
      const sum = begin(kernel(), request);
      await sum.add(request.terms.slice(0, 1));
      const a = sampleFactor('F32', shape.ranks[1], shape.in, (i) => (i === 5 ? Number.NaN : 0.5)).factor;
      await assert.rejects(
        sum.add([{ ...request.terms[1]!, a }]),
        refusedAs('notFinite', 'layers.0.self_attn.q_proj', 'agent-1', 'lora_A[0, 5]'),
      );
      await assertEnded(sum, request.terms);
    }
  });

  test('a second call while one is under way is refused and does not disturb the first', async () => {
    const request = sampleRequest(SHAPES[1]);
    const sum = begin(kernel(), request);
    const first = sum.add(request.terms);
    await assert.rejects(sum.add(request.terms), refusedAs('internal', 'another call on it is under way'));
    await assert.rejects(sum.truncate(), refusedAs('internal', 'another call on it is under way'));
    await first;
    assertExact(request, await sum.truncate());
    await assertEnded(sum, []);
  });

  test('a sum that was released, before or during a call, is of no use any more', async () => {
    const request = sampleRequest(SHAPES[0]);
    const idle = begin(kernel(), request);
    await idle.add(request.terms);
    idle.release();
    idle.release();
    await assertEnded(idle, []);
    const busy = begin(kernel(), request);
    const outcome = busy.add(request.terms).then(
      () => 'added',
      (error: unknown) => (error instanceof KernelError ? error.code : String(error)),
    );
    busy.release();
    assert.ok(['added', 'cancelled'].includes(await outcome), await outcome);
    await assertEnded(busy, []);
  });

  test('an abort ends its own sum and no other', async () => {
    const request = sampleRequest(SHAPES[0]);
    const [ended, other] = [begin(kernel(), request), begin(kernel(), request)];
    await other.add(request.terms);
    await assert.rejects(ended.add(request.terms, AbortSignal.abort()), refusedAs('cancelled'));
    await assertEnded(ended, request.terms);
    const answer: TruncatedSum = await other.truncate();
    assert.deepEqual(bytesOf(answer), bytesOf(await kernel().truncate(request)));
  });
}
