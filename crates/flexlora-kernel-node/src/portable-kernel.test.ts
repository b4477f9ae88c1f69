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
