import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRefusal, type StrategyName } from '@flexlora/core';
import { createPortableKernel, type Kernel } from '@flexlora/kernel';
import { createMemoryObjectStore } from '@flexlora/stores';
import { createHeaderCache } from './header-cache.ts';
import { createObjectReader, type ObjectReader } from './object-reader.ts';
import { NO_PREVIOUS_ADAPTER } from './previous-adapter.ts';
import { pulledBytes } from './pull-factors.ts';
import { readLedger } from './read-ledger.ts';
import { sumModule } from './sum-module.ts';
import { hastyClock } from './testing/hasty-clock.ts';
import { CLAIM_ID, MODULES, storeRound, type TestClient } from './testing/test-round.ts';
import { noiseFactors } from './testing/update-file.ts';
import { workFromMessage } from './translate.ts';
import { locateUpdateFactors } from './update-factors.ts';

const FOREVER = new AbortController().signal;
const portable = createPortableKernel();
const [module] = MODULES as [(typeof MODULES)[number]];

function client(index: number, rank: number): TestClient {
  const factors = MODULES.map((each, i) => noiseFactors(each, rank, 1_000 * index + i));
  return { agent: `agent-${index}`, samples: 1 + index, rank, factors };
}

/** Counts what was read and not yet taken in by the kernel, and notes what happened when. */
function createCounting(reader: ObjectReader) {
  const counts = { held: 0, heldMost: 0, adds: 0 };
  const events: string[] = [];
  const countingReader: ObjectReader = {
    ...reader,
    range: async (...call) => {
      events.push(`read of ${/agent-\d+/.exec(call[0])?.[0]}`);
      const bytes = await reader.range(...call);
      counts.held += bytes.byteLength;
      counts.heldMost = Math.max(counts.heldMost, counts.held);
      return bytes;
    },
  };
  const kernel: Kernel = {
    ...portable,
    beginSum: (request) => {
      const sum = portable.beginSum(request);
      return {
        ...sum,
        add: async (terms, signal) => {
          const labels = terms.map(({ label }) => label).join();
          events.push(`sum of ${labels} begins`);
          await sum.add(terms, signal);
          events.push(`sum of ${labels} ends`);
          for (const { b, a } of terms) counts.held -= b.bytes.byteLength + a.bytes.byteLength;
          counts.adds += 1;
        },
      };
    },
  };
  return { counts, events, reader: countingReader, kernel };
}

async function sumOf(
  clients: readonly TestClient[],
  batchBytesMax: number,
  strategy: StrategyName = 'flexlora',
  tolerance?: number,
) {
  const store = createMemoryObjectStore();
  const work = workFromMessage(
    await storeRound(store, { round: 3, clients, strategy, ...(tolerance && { tolerance }) }),
    CLAIM_ID,
  );
  assert.ok(!isRefusal(work));
  const plain = createObjectReader(store, { clock: hastyClock, random: Math.random });
  const ledger = await readLedger(plain, work, FOREVER);
  assert.ok(!isRefusal(ledger));
  const updates = [];
  for (const update of ledger.updates) {
    const located = await locateUpdateFactors(
      { reader: plain, headers: createHeaderCache(0) },
      update,
      MODULES,
      FOREVER,
    );
    assert.ok(!isRefusal(located));
    updates.push(located);
  }
  const { counts, events, reader, kernel } = createCounting(plain);
  const deps = { kernel, reader, spend: <T>(_: unknown, part: Promise<T>) => part };
  const input = { module, updates, previous: NO_PREVIOUS_ADAPTER, batchBytesMax };
  const summed = await sumModule(deps, work, input, FOREVER);
  assert.ok(!isRefusal(summed), isRefusal(summed) ? summed.message : '');
  const { seconds: _, ...result } = summed.result;
  const eachBytes = updates.map((it) => pulledBytes(it, module.name));
  return { ...counts, events, summed: { ...summed, result }, eachBytes };
}

describe('sumModule', () => {
  it('holds no more factors of 64 updates than of 8', async () => {
    const bound = 3 * 4 * 2 * (module.out + module.in);
    for (const count of [8, 64]) {
      const clients = Array.from({ length: count }, (_, index) => client(index, 2));
      const { heldMost, held, adds, eachBytes } = await sumOf(clients, bound);
      assert.deepEqual(new Set(eachBytes), new Set([bound / 3]));
      // One batch that is summed, and one that is read meanwhile.
      assert.deepEqual([heldMost, held, adds], [2 * bound, 0, Math.ceil(count / 3)]);
    }
  });

  it('holds one update at least, and one beside it', async () => {
    const clients = [2, 8, 4].map((rank, index) => client(index, rank));
    const { heldMost, adds, eachBytes } = await sumOf(clients, 1);
    assert.deepEqual([heldMost, adds], [eachBytes[1]! + eachBytes[2]!, 3]);
  });

  it('pulls the next batch while one is summed, and none beyond it', async () => {
    const clients = [0, 1, 2, 3].map((index) => client(index, 2));
    const { events } = await sumOf(clients, 1);
    const steps = [0, 1, 2].flatMap((k) => [
      `read of agent-${k + 1}`,
      `sum of agent-${k} begins`,
      `sum of agent-${k} ends`,
    ]);
    assert.deepEqual(events, ['read of agent-0', ...steps, 'sum of agent-3 begins', 'sum of agent-3 ends']);
  });

  it('asks the kernel for the tolerance of the task, and tells it with the bytes that the plan allows', async () => {
    const { summed } = await sumOf([client(0, 2)], 1, 'flexlora', 1.5);
    assert.equal(summed.result.tolerance, 1.5);
    assert.ok(summed.result.scratchBytes > 0);
  });

  it('gives the same bytes whatever a batch may hold', async () => {
    for (const ranks of [
      [2, 1, 3],
      [2, 5, 8, 3, 1],
    ]) {
      const clients = ranks.map((rank, index) => client(index, rank));
      const whole = await sumOf(clients, Number.POSITIVE_INFINITY);
      assert.equal(whole.adds, 1);
      for (const bound of [1, 200, 400]) {
        const split = await sumOf(clients, bound);
        assert.ok(split.adds > 1);
        assert.deepEqual(split.summed, whole.summed);
      }
    }
  });

  it('takes a term that is made of all updates as one, with the rank that its parts are padded to', async () => {
    const clients = [2, 8, 4].map((rank, index) => client(index, rank));
    const { heldMost, adds, eachBytes, summed } = await sumOf(clients, 1, 'hetlora');
    const all = eachBytes.reduce((sum, bytes) => sum + bytes, 0);
    assert.deepEqual([heldMost, adds, summed.result.rankSum], [all, 1, 8]);
  });
});
