import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  KernelError,
  type KernelMethod,
  type KernelSum,
  type KernelTerm,
  MEMORY_BYTES,
  TOLERANCE,
  TOLERANCE_EXACT,
} from './kernel.ts';
import { createNativeKernel } from './native-kernel.ts';
import { bytesOf } from './suite/assert-exact.ts';
import { nativeSkipReason } from './suite/native-skip.ts';
import { createDraw, requestOf, sampleTerm } from './suite/samples.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Collects what nothing holds, and lets the event loop do what follows from it. */
async function collectAll(): Promise<void> {
  for (let left = 5; left > 0; left -= 1) {
    await turn();
    collect();
  }
}

const isCode = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof KernelError && error.code === code && words.test(error.message);

describe('native kernel', { skip: nativeSkipReason() ?? false }, () => {
  /** Hundreds of milliseconds of work: a flat spectrum, as exact as it can be asked for. */
  function longRequest() {
    const term = sampleTerm(createDraw(1), { out: 1024, in: 1024, rank: 1024, coefficient: 1 });
    return { ...requestOf(1024, 1024, 256, [term]), tolerance: TOLERANCE_EXACT, method: 'accumulated' } as const;
  }

  it('lets the event loop turn while a call runs', async () => {
    let turns = 0;
    let settled = false;
    const running = createNativeKernel()
      .truncate(longRequest())
      .finally(() => {
        settled = true;
      });
    for (; !settled; turns += 1) await turn();
    await running;
    assert.ok(turns > 100, `the event loop turned ${turns} times`);
  });

  it('ends a call that is under way when its signal is aborted', async () => {
    const abort = new AbortController();
    const outcome = assert.rejects(
      createNativeKernel().truncate(longRequest(), abort.signal),
      isCode('cancelled', /layers\.0\.self_attn\.q_proj/),
    );
    for (let turns = 0; turns < 100; turns += 1) await turn();
    abort.abort();
    await outcome;
  });

  it('gives the same bytes with any number of threads, and for sums that share them', async () => {
    const term = sampleTerm(createDraw(2), { out: 200, in: 300, rank: 220, coefficient: 1 });
    for (const method of ['factored', 'accumulated', 'dense'] as const) {
      const request = { ...requestOf(200, 300, 16, [term]), method };
      const alone = bytesOf(await createNativeKernel({ threads: 1 }).truncate(request));
      const shared = createNativeKernel({ threads: 3 });
      const answers = await Promise.all([0, 1, 2, 3].map(() => shared.truncate(request)));
      for (const answer of answers) assert.deepEqual(bytesOf(answer), alone, method);
    }
  });

  it('tells its plan before the first term, and what came of it', async () => {
    const { terms, ...request } = requestOf(90, 70, 8, [
      sampleTerm(createDraw(3), { out: 90, in: 70, rank: 12, coefficient: 1 }),
    ]);
    for (const method of ['stacked', 'factored', 'accumulated', 'dense'] as const) {
      const sum = createNativeKernel().beginSum({ ...request, rankSum: 12, method });
      assert.equal(sum.plan.method, method);
      assert.ok(sum.plan.operations > 0 && sum.plan.scratchBytes > 0 && sum.plan.seconds > 0);
      await sum.add(terms);
      const answer = await sum.truncate();
      assert.deepEqual(answer.plan, sum.plan);
      assert.equal(answer.tolerance, TOLERANCE);
      assert.equal(answer.converged, answer.fallbackFrom === null);
      assert.ok(answer.excess >= 0 && answer.excess <= TOLERANCE - 1);
    }
  });

  it('refuses methods, tolerances and memory that are not allowed, with what is', () => {
    const { terms: _, ...request } = requestOf(64, 64, 4, []);
    const begin = (change: object, memoryBytes = MEMORY_BYTES) =>
      createNativeKernel({ memoryBytes }).beginSum({ ...request, rankSum: 100, ...change });
    const named = { method: 'fast' as KernelMethod };
    assert.throws(
      () => begin(named),
      isCode('badMethod', /"fast"; allowed are stacked, factored, accumulated and dense/),
    );
    assert.throws(() => begin({ method: 'stacked' }), isCode('badMethod', /sum of ranks below 64; it is 100/));
    assert.throws(() => begin({ tolerance: 1 }), isCode('badTolerance', /the tolerance is 1; allowed is 1\.000001/));
    assert.throws(() => begin({ tolerance: Number.NaN }), isCode('badTolerance', /NaN/));
    assert.throws(() => begin({}, 1000), isCode('tooLarge', /bytes.*allowed are 1000: allow the kernel more memory/));
  });

  it('refuses threads and bytes that are no whole number from 1', () => {
    for (const options of [{ threads: 0 }, { threads: 1.5 }, { memoryBytes: Number.NaN }, { memoryBytes: -1 }])
      assert.throws(() => createNativeKernel(options), /^RangeError: (threads|memoryBytes) is .*; allowed: a whole/);
  });

  describe('holds the factors that a sum still reads, and no others:', () => {
    const shape = { out: 120, in: 90, rank: 100, coefficient: 1, dtype: 'BF16' } as const;
    const request = { ...requestOf(120, 90, 8, []), rankSum: 200 };
    const terms = (): readonly KernelTerm[] => [7, 8].map((seed) => sampleTerm(createDraw(seed), shape));

    /** In a call of its own: what it has ended, its variables hold no more. */
    async function addEach(sum: KernelSum): Promise<readonly WeakRef<Uint8Array>[]> {
      const forgotten: WeakRef<Uint8Array>[] = [];
      for (const term of terms()) {
        await sum.add([term]);
        forgotten.push(new WeakRef(term.a.bytes), new WeakRef(term.b.bytes));
      }
      return forgotten;
    }

    /** Nothing of the terms is left in this process but what the sum holds. */
    async function addAndForget(method: KernelMethod) {
      const sum = createNativeKernel().beginSum({ ...request, method });
      const forgotten = await addEach(sum);
      await collectAll();
      const heldNow = () => forgotten.filter((reference) => reference.deref() !== undefined).length;
      return { sum, heldNow };
    }

    it('factored holds all of them until it is truncated', async () => {
      const { sum, heldNow } = await addAndForget('factored');
      assert.equal(heldNow(), 4);
      // Whoever reads memory that is free finds these.
      const others = Array.from({ length: 64 }, () => new Uint8Array(2 * 120 * 100).fill(0x3f));
      const answer = await sum.truncate();
      const expected = await createNativeKernel().truncate({ ...request, method: 'factored', terms: terms() });
      assert.deepEqual(bytesOf(answer), bytesOf(expected));
      assert.equal(others.length, 64);
      await collectAll();
      assert.equal(heldNow(), 0);
    });

    it('factored lets them go when it is released', async () => {
      const { sum, heldNow } = await addAndForget('factored');
      sum.release();
      await collectAll();
      assert.equal(heldNow(), 0);
    });

    it('dense holds none between its calls', async () => {
      const { sum, heldNow } = await addAndForget('dense');
      assert.equal(heldNow(), 0);
      sum.release();
    });
  });
});
