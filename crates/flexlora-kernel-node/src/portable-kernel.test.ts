import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KernelError, type TruncateRequest } from './kernel.ts';
import { createPortableKernel } from './portable-kernel.ts';
import { createDraw, requestOf, sampleTerm } from './suite/samples.ts';

/** Seconds of work for the portable kernel: it is certainly running when the next line is reached. */
function longRequest(): TruncateRequest {
  const term = sampleTerm(createDraw(1), { out: 500, in: 500, rank: 500, coefficient: 1 });
  return requestOf(500, 500, 8, [term]);
}

const short = requestOf(4, 5, 2, []);
const isCancelled = (error: unknown) => error instanceof KernelError && error.code === 'cancelled';

test('an abort ends the running request, and those behind it are answered', async () => {
  const kernel = createPortableKernel();
  const abort = new AbortController();
  const running = assert.rejects(kernel.truncate(longRequest(), abort.signal), isCancelled);
  const behind = kernel.truncate(short);
  abort.abort();
  await running;
  assert.equal((await behind).rank, 2);
});

test('an abort takes a waiting request out of the queue and leaves the running one', async () => {
  const kernel = createPortableKernel();
  const abort = new AbortController();
  const running = kernel.truncate(short);
  const waiting = assert.rejects(kernel.truncate(longRequest(), abort.signal), isCancelled);
  abort.abort();
  await waiting;
  assert.equal((await running).rank, 2);
});

test('a request that cannot be handed to the thread fails alone', async () => {
  const kernel = createPortableKernel();
  const broken = { ...short, terms: [{ label: 'no factors' }] } as unknown as TruncateRequest;
  const failed = assert.rejects(
    kernel.truncate(broken),
    (error) => error instanceof KernelError && error.code === 'internal',
  );
  const behind = kernel.truncate(short);
  await failed;
  assert.equal((await behind).rank, 2);
});

test('what the portable kernel does not have, or does not reach, is refused by name', () => {
  const kernel = createPortableKernel();
  const { terms: _, ...request } = requestOf(30, 20, 4, []);
  for (const [change, code, message] of [
    [
      { method: 'factored' },
      'badMethod',
      /"factored"; allowed are stacked, accumulated, dense: .*use the native kernel/,
    ],
    [{ method: 'stacked', rankSum: 20 }, 'badMethod', /stacked takes a sum of ranks below 20; it is 20/],
    [{ tolerance: 1 }, 'badTolerance', /tolerance is 1; allowed is 1\.000001 and above: ask for 1\.001/],
    [{ tolerance: Number.NaN }, 'badTolerance', /tolerance is NaN/],
  ] as const) {
    const isRefused = (error: unknown) =>
      error instanceof KernelError && error.code === code && message.test(error.message);
    assert.throws(() => kernel.beginSum({ ...request, rankSum: 8, ...change }), isRefused);
  }
});

test('the memory allowed takes part in the choice of the method', () => {
  const { terms: _, ...request } = requestOf(3000, 3000, 16, []);
  const sum = { ...request, rankSum: 200 };
  assert.equal(createPortableKernel().beginSum(sum).plan.method, 'accumulated');
  assert.equal(createPortableKernel({ memoryBytes: 24 << 20 }).beginSum(sum).plan.method, 'stacked');
  const isRefused = (error: unknown) => error instanceof KernelError && /allowed are 1048576:/.test(error.message);
  assert.throws(() => createPortableKernel({ memoryBytes: 1 << 20 }).beginSum(sum), isRefused);
  assert.throws(() => createPortableKernel({ memoryBytes: 0.5 }), RangeError);
});

test('an abort in the middle of an iteration ends it, and the next sum is answered', async () => {
  const kernel = createPortableKernel();
  const term = sampleTerm(createDraw(1), { out: 900, in: 900, rank: 600, coefficient: 1 });
  const request: TruncateRequest = { ...requestOf(900, 900, 64, [term]), method: 'accumulated' };
  const abort = new AbortController();
  const sum = kernel.beginSum({ ...request, rankSum: 600 });
  await sum.add([term]);
  const running = assert.rejects(sum.truncate(abort.signal), isCancelled);
  abort.abort();
  await running;
  assert.equal((await kernel.truncate({ ...request, rank: 2 })).method, 'accumulated');
});
