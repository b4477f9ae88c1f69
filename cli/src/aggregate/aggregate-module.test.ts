import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isRefusal } from '@flexlora/core';
import { createPortableKernel, type Kernel, type KernelTerm } from '@flexlora/kernel';
import { openAdapterDirectory, readModuleFactors } from './adapter-directory.ts';
import { type Fixture, temporaryDirectory, writeFixture } from './adapter-fixture.ts';
import { aggregateModule, checkModule } from './aggregate-module.ts';
import type { AdapterStrategy } from './aggregate-options.ts';
import { commonModules } from './common-modules.ts';

const portable = createPortableKernel();
const SIDE = 1024;
const RANK = 4;
const EACH_BYTES = 4 * RANK * (SIDE + SIDE);

function fixtureOf(index: number, side: number): Fixture {
  const module = { name: 'model.layers.0.self_attn.q_proj', out: side, in: side, rank: RANK, scaling: 1 };
  return { seed: index, config: { r: RANK, lora_alpha: RANK, target_modules: ['q_proj'] }, modules: [module] };
}

async function openFixtures(test: TestContext, count: number, side: number) {
  const home = await temporaryDirectory(test);
  const adapters = [];
  for (let index = 0; index < count; index += 1) {
    const adapter = await openAdapterDirectory(await writeFixture(join(home, `site-${index}`), fixtureOf(index, side)));
    assert.ok(!isRefusal(adapter), isRefusal(adapter) ? adapter.message : '');
    adapters.push({ adapter, samples: 1 + index });
  }
  const modules = commonModules(adapters.map(({ adapter }) => adapter));
  assert.ok(!isRefusal(modules));
  return { adapters, module: modules[0]! };
}

const spend = <T>(_: unknown, part: Promise<T>): Promise<T> => part;
const asked = { tolerance: 1.001, method: null } as const;

/**
 * A kernel that takes terms in without arithmetic, and a reader; between them they know what was read and not yet taken in. `add` ends when
 * the next batch was read whole, so it never ends where none is read meanwhile.
 */
function createCounting(adapters: number, adaptersOfBatch: number) {
  const counts = { reads: 0, held: 0, heldMost: 0, adds: 0, rankSum: 0, ranks: 0 };
  const events: string[] = [];
  let onRead = (): void => {};
  const bytesOf = ({ b, a }: Pick<KernelTerm, 'a' | 'b'>) => b.bytes.byteLength + a.bytes.byteLength;
  const readFactors: typeof readModuleFactors = async (adapter, name) => {
    events.push(`read of ${basename(adapter.directory)}`);
    const factors = await readModuleFactors(adapter, name);
    if (isRefusal(factors)) return factors;
    counts.held += bytesOf(factors);
    counts.heldMost = Math.max(counts.heldMost, counts.held);
    counts.reads += 1;
    onRead();
    return factors;
  };
  const kernel: Kernel = {
    ...portable,
    beginSum: (request) => {
      counts.rankSum = request.rankSum;
      return {
        ...portable.beginSum({ ...request, rankSum: 0 }),
        add: async (terms) => {
          const labels = terms.map(({ label }) => basename(label)).join();
          events.push(`sum of ${labels} begins`);
          const until = Math.min(adapters, (counts.adds + 2) * adaptersOfBatch);
          while (counts.reads < until)
            await new Promise<void>((resolve) => {
              onRead = resolve;
            });
          events.push(`sum of ${labels} ends`);
          for (const term of terms) counts.held -= bytesOf(term);
          counts.ranks += terms.reduce((sum, { a }) => sum + a.rows, 0);
          counts.adds += 1;
        },
      };
    },
  };
  return { counts, events, kernel, readFactors };
}

describe('aggregateModule', () => {
  it('holds no more factors of 64 adapters than of 8', async (test) => {
    const bound = 5 * EACH_BYTES + 1;
    for (const count of [8, 64]) {
      const { adapters, module } = await openFixtures(test, count, SIDE);
      const { counts, kernel, readFactors } = createCounting(count, 5);
      const options = { ...asked, strategy: 'flexlora', rank: 1 } as const;
      await aggregateModule(module, adapters, options, { kernel, readFactors, batchBytesMax: bound, spend });
      const heldMost = Math.min(count, 2 * 5) * EACH_BYTES;
      assert.deepEqual(
        [counts.heldMost, counts.held, counts.adds],
        [heldMost, 0, Math.ceil(count / 5)],
        `${count} adapters`,
      );
      assert.deepEqual([counts.rankSum, counts.ranks], [count * RANK, count * RANK]);
    }
  });

  it('reads the next batch while one is summed, and none beyond it', async (test) => {
    const { adapters, module } = await openFixtures(test, 4, 20);
    const { events, kernel, readFactors } = createCounting(4, 1);
    const options = { ...asked, strategy: 'flexlora', rank: 1 } as const;
    await aggregateModule(module, adapters, options, { kernel, readFactors, batchBytesMax: 1, spend });
    const begins = events.filter((event) => !event.endsWith('ends'));
    const [first, ...rest] = [0, 1, 2, 3].map((k) => [`read of site-${k}`, `sum of site-${k} begins`]);
    assert.deepEqual(begins, [
      first![0],
      rest[0]![0],
      first![1],
      rest[1]![0],
      rest[0]![1],
      rest[2]![0],
      rest[1]![1],
      rest[2]![1],
    ]);
    // What is two ahead is not begun before what was summed is free.
    for (const k of [0, 1])
      assert.ok(events.indexOf(`read of site-${k + 2}`) > events.indexOf(`sum of site-${k} ends`));
  });

  it('refuses what the kernel cannot do with these sizes before it reads a factor', async (test) => {
    const { adapters, module } = await openFixtures(test, 6, 20);
    const options = { tolerance: 1.001, strategy: 'flexlora', rank: 1 } as const;
    assert.equal(checkModule(module, adapters, { ...options, method: 'dense' }, portable), null);
    assert.throws(
      () => checkModule(module, adapters, { ...options, method: 'stacked' }, portable),
      /a sum of ranks below 20; it is 24/,
    );
  });

  it('gives the same bytes whatever a batch may hold, with every strategy', async (test) => {
    const { adapters, module } = await openFixtures(test, 6, 20);
    const sumOf = async (strategy: AdapterStrategy, batchBytesMax: number) => {
      const deps = { kernel: portable, readFactors: readModuleFactors, batchBytesMax, spend };
      const sum = await aggregateModule(module, adapters, { ...asked, strategy, rank: 8 }, deps);
      assert.ok(!isRefusal(sum));
      return { ...sum, seconds: 0 };
    };
    for (const strategy of ['flexlora', 'fedavg', 'hetlora'] as const) {
      const whole = await sumOf(strategy, Number.POSITIVE_INFINITY);
      assert.equal(whole.rankSum, strategy === 'flexlora' ? 24 : RANK);
      for (const bound of [1, 1_500]) assert.deepEqual(await sumOf(strategy, bound), whole);
    }
  });

  it('reads all adapters for the one term of an average', async (test) => {
    const { adapters, module } = await openFixtures(test, 6, 20);
    const { counts, kernel, readFactors } = createCounting(6, 6);
    const options = { ...asked, strategy: 'hetlora', rank: 1 } as const;
    await aggregateModule(module, adapters, options, { kernel, readFactors, batchBytesMax: 1, spend });
    assert.deepEqual([counts.heldMost, counts.adds, counts.rankSum], [6 * 4 * RANK * 40, 1, RANK]);
  });
});
