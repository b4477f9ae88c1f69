import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  adapterObjectName,
  Fault,
  isRefusal,
  type ModuleName,
  type ModuleSpec,
  type Refusal,
  type RunId,
  type Sha256Hex,
  type TaskId,
  type TaskResult,
} from '@flexlora/core';
import { createPortableKernel, KernelError } from '@flexlora/kernel';
import { createMemoryObjectStore, type ObjectStore } from '@flexlora/stores';
import { Registry } from 'prom-client';
import { createHeaderCache } from './header-cache.ts';
import { createAggregatorMetrics } from './metrics.ts';
import { runTask } from './run-task.ts';
import { addProduct, type Dense, distance, productOfPrefix, singularValues, zeros } from './testing/dense-oracle.ts';
import { createFaultyStore } from './testing/faulty-store.ts';
import { hastyClock } from './testing/hasty-clock.ts';
import {
  ALPHA,
  CLAIM_ID,
  MODULES,
  sha256,
  storeManifest,
  storeRound,
  type TestClient,
  type TestRound,
} from './testing/test-round.ts';
import { noiseFactors } from './testing/update-file.ts';
import { workFromMessage } from './translate.ts';

const FOREVER = new AbortController().signal;
const kernel = createPortableKernel();

function client(agent: string, samples: number, rank: number, modules = MODULES): TestClient {
  const seed = agent.charCodeAt(0) * 1_000;
  const dtype = agent === 'b' ? 'BF16' : 'F32';
  return { agent, samples, rank, factors: modules.map((module, i) => noiseFactors(module, rank, seed + i, dtype)) };
}

/** Three ranks, three weights, one of them BF16. */
const MIXED: readonly TestClient[] = [client('a', 30, 2), client('b', 50, 5), client('c', 20, 8)];

async function run(
  store: ObjectStore,
  task: Awaited<ReturnType<typeof storeRound>>,
  signal = FOREVER,
  registry = new Registry(),
  headers = createHeaderCache(0),
): Promise<TaskResult | Refusal> {
  const work = workFromMessage(task, CLAIM_ID);
  assert.ok(!isRefusal(work), isRefusal(work) ? work.message : '');
  const metrics = createAggregatorMetrics(registry);
  return runTask(
    { objectStore: store, kernel, clock: hastyClock, random: Math.random, metrics, headers },
    work,
    signal,
  );
}

async function runRound(store: ObjectStore, round: TestRound) {
  const task = await storeRound(store, round);
  const result = await run(store, task);
  assert.ok(!isRefusal(result), isRefusal(result) ? result.message : '');
  const bytes = await store.get(task.objectName);
  assert.ok(bytes !== null);
  const layout = (round.modules ?? MODULES).map((module, i) => ({ ...module, rank: result.modules[i]!.rank }));
  return { task, result, bytes, layout };
}

/** Σ w_k s_k B_k A_k of module `index`. */
function denseSum(clients: readonly TestClient[], index: number): Dense {
  const total = clients.reduce((sum, { samples }) => sum + samples, 0);
  const { out, in: columns } = clients[0]!.factors[index]!.module;
  const sum = zeros(out, columns);
  for (const { samples, rank, factors } of clients)
    addProduct(sum, (samples / total) * (ALPHA / rank), factors[index]!);
  return sum;
}

/** Eckart and Young: a product of rank r is the best one when its distance is the root of the squares of the singular values after r. */
function assertBestAtEveryRank(
  want: Dense,
  bytes: Uint8Array,
  layout: readonly { out: number; in: number; rank: number }[],
  index: number,
): void {
  const sigmas = singularValues(want);
  const norm = Math.hypot(...sigmas);
  for (let rank = 0; rank <= layout[index]!.rank; rank += 1) {
    const error = distance(want, productOfPrefix(bytes, layout, index, rank));
    const best = Math.hypot(...sigmas.slice(rank));
    assert.ok(Math.abs(error - best) <= 2e-6 * norm, `rank ${rank}: error ${error}, the best is ${best}`);
  }
}

describe('runTask', () => {
  it('gives the best approximation of the weighted sum at every rank, for clients of mixed ranks and dtypes', async () => {
    const { result, bytes, layout } = await runRound(createMemoryObjectStore(), { round: 3, clients: MIXED });
    for (const [index, module] of result.modules.entries()) {
      const want = denseSum(MIXED, index);
      assertBestAtEveryRank(want, bytes, layout, index);
      assert.equal(module.name, MODULES[index]!.name);
      assert.equal(module.rankSum, 15);
      const energy = Math.hypot(...want.values) ** 2;
      assert.ok(Math.abs(module.energyTotal - energy) <= 1e-5 * energy);
      const kept = module.spectrum.reduce((sum, sigma) => sum + sigma * sigma, 0);
      assert.ok(Math.abs(module.energyKept - kept) <= 1e-9 * energy);
    }
  });

  it('tells size and digests of what it wrote', async () => {
    const { result, bytes, layout } = await runRound(createMemoryObjectStore(), { round: 3, clients: MIXED });
    assert.equal(result.bytes, bytes.byteLength);
    assert.equal(result.digest, sha256(bytes));
    const slab = 4 * layout.reduce((sum, module) => sum + module.out + module.in, 0);
    // Seven components have both modules, the eighth has the one whose smaller side is 9.
    assert.deepEqual(
      result.componentDigests.slice(0, 7),
      Array.from({ length: 7 }, (_, j) => sha256(bytes.subarray(j * slab, (j + 1) * slab))),
    );
    assert.equal(result.componentDigests[7], sha256(bytes.subarray(7 * slab)));
    assert.equal(result.componentDigests.length, 8);
  });

  it('makes the initial adapter of round 0: nothing in B, orthonormal rows in A, and other rows in each module', async () => {
    const twins = ['x', 'y'].map(
      (name): ModuleSpec => ({ name: name as ModuleName, out: 6, in: 9, rankGroup: 'attention' }),
    );
    const { result, bytes, layout } = await runRound(createMemoryObjectStore(), {
      round: 0,
      clients: [],
      modules: twins,
      rank: 4,
    });
    const floats = new Float32Array(bytes.slice().buffer);
    const rowsOf = (index: number): readonly Float32Array[] =>
      Array.from({ length: 4 }, (_, j) => floats.subarray(30 * j + 15 * index + 6, 30 * j + 15 * index + 15));
    for (const index of [0, 1]) {
      assert.deepEqual(result.modules[index]!.spectrum, [0, 0, 0, 0]);
      assert.equal(distance(productOfPrefix(bytes, layout, index, 4), zeros(6, 9)), 0);
      for (const [i, x] of rowsOf(index).entries())
        for (const [j, y] of rowsOf(index).entries()) {
          const dot = x.reduce((sum, value, k) => sum + value * y[k]!, 0);
          assert.ok(Math.abs(dot - (i === j ? 1 : 0)) < 1e-6, `rows ${i} and ${j} of module ${index}: ${dot}`);
        }
    }
    assert.notDeepEqual(rowsOf(0), rowsOf(1));
  });

  it('writes the same bytes whoever runs it and however often', async () => {
    const [first, second] = [createMemoryObjectStore(), createMemoryObjectStore()];
    const one = await runRound(first, { round: 3, clients: MIXED });
    const other = await runRound(second, { round: 3, clients: MIXED });
    assert.equal(one.result.digest, other.result.digest);
    const again = await run(first, one.task);
    assert.ok(!isRefusal(again) && again.digest === one.result.digest);
  });

  it('sums the updates in the order of the ledger, not in that of their arrival', async () => {
    // The first read is answered last.
    const memory = createMemoryObjectStore();
    const task = await storeRound(memory, { round: 3, clients: MIXED });
    const late: ObjectStore = {
      ...memory,
      get: async (name, range, signal) => {
        for (let turn = name.includes('/a/') ? 20 : 0; turn > 0; turn -= 1) await new Promise(setImmediate);
        return memory.get(name, range, signal);
      },
    };
    const [punctual, delayed] = [await run(memory, task), await run(late, task)];
    assert.ok(!isRefusal(punctual) && !isRefusal(delayed));
    assert.equal(punctual.digest, delayed.digest);
  });

  it('starts flexlora-residual from the previous adapter', async () => {
    const store = createMemoryObjectStore();
    const first = await runRound(store, { round: 1, clients: [client('p', 1, 7)], rank: 6 });
    const previousManifest = await storeManifest(store, first.task, first.result);
    const clients = [client('a', 3, 2), client('c', 1, 4)];
    const second = await runRound(store, {
      round: 2,
      clients,
      rank: 6,
      strategy: 'flexlora-residual',
      previousManifest,
    });
    for (const index of [0, 1]) {
      // G + Σ w_k (s_k B_k A_k − [G]_{r_k}).
      const want = denseSum(clients, index);
      for (const [coefficient, rank] of [
        [1, 6],
        [-0.75, 2],
        [-0.25, 4],
      ] as const) {
        const slice = productOfPrefix(first.bytes, first.layout, index, rank);
        for (const [i, value] of slice.values.entries()) want.values[i]! += coefficient * value;
      }
      assertBestAtEveryRank(want, second.bytes, second.layout, index);
    }
  });

  it('reads on when a header is longer than the first read', async () => {
    const modules = Array.from(
      { length: 900 },
      (_, i): ModuleSpec => ({
        name: `model.layers.${i}.self_attn.a_rather_long_name_of_a_projection` as ModuleName,
        out: 1,
        in: 1,
        rankGroup: 'attention',
      }),
    );
    const { result } = await runRound(createMemoryObjectStore(), {
      round: 1,
      modules,
      clients: [client('a', 1, 1, modules)],
    });
    assert.equal(result.modules.length, 900);
  });

  it('counts stages, energy and residual', async () => {
    const store = createMemoryObjectStore();
    const registry = new Registry();
    await run(store, await storeRound(store, { round: 3, clients: MIXED }), FOREVER, registry);
    const text = await registry.metrics();
    for (const [line, count] of [
      ['stage_seconds_count{stage="pull"}', 4],
      ['stage_seconds_count{stage="sum"}', 2],
      ['stage_seconds_count{stage="put"}', 1],
      ['energy_dropped_ratio_count', 2],
      ['residual_ratio_count', 2],
      ['sums_total{planned="dense",method="dense"}', 2],
    ])
      assert.ok(text.includes(`flexlora_aggregation_${line} ${count}`), `${line} ${count} is not in\n${text}`);
  });
});

describe('runTask, of what can never work', () => {
  it('names the update and the factor that hold NaN', async () => {
    const bad = client('b', 1, 4);
    const { b } = bad.factors[1]!;
    new DataView(b.bytes.buffer, b.bytes.byteOffset).setUint16(6, 0x7fc0, true);
    const store = createMemoryObjectStore();
    const task = await storeRound(store, { round: 3, clients: [client('a', 1, 2), bad] });
    await assert.rejects(run(store, task), (error) => {
      assert.ok(error instanceof KernelError);
      assert.equal(error.code, 'notFinite');
      assert.match(error.message, /v_proj/);
      assert.match(error.message, /\bb\b/);
      return true;
    });
  });

  it('refuses a ledger of another digest', async () => {
    const store = createMemoryObjectStore();
    const task = await storeRound(store, { round: 3, clients: MIXED });
    await store.put(task.ledger!.objectName, Buffer.from('{"version":1}'));
    const result = await run(store, task);
    assert.ok(isRefusal(result) && result.reason === 'badDigest');
    assert.match(result.message, new RegExp(`ledger.json is [0-9a-f]{64}; the task says ${task.ledger!.sha256}`));
    assert.equal(await store.head(task.objectName), null);
  });

  it('reads the header of an update once for all tasks of a round', async () => {
    const store = createMemoryObjectStore();
    const headerReads: string[] = [];
    const get: ObjectStore['get'] = (name, range, signal) => {
      if (name.includes('/updates/') && range?.start === 0) headerReads.push(name);
      return store.get(name, range, signal);
    };
    const headers = createHeaderCache(1 << 20);
    const digests: unknown[] = [];
    for (const attempt of [1, 2]) {
      const task = await storeRound(store, { round: 3, clients: MIXED }, attempt);
      const result = await run({ ...store, get }, task, FOREVER, new Registry(), headers);
      digests.push(isRefusal(result) ? result : result.digest);
    }
    assert.equal(digests[0], digests[1]);
    assert.equal(headerReads.length, MIXED.length);
  });

  it('refuses a ledger of another round', async () => {
    const store = createMemoryObjectStore();
    const other = await storeRound(store, { round: 2, clients: MIXED });
    const task = await storeRound(store, { round: 3, clients: MIXED });
    const { runId, round, taskId, attempt } = task;
    const objectName = adapterObjectName(
      runId as RunId,
      round,
      taskId as TaskId,
      { attempt, claimId: CLAIM_ID },
      other.ledger!.sha256 as Sha256Hex,
    );
    const result = await run(store, { ...task, ledger: other.ledger, objectName });
    assert.ok(isRefusal(result));
    assert.match(result.message, /is version 1 of run run-1, round 2; allowed: version 1 of run run-1, round 3/);
  });

  it('refuses an update that lacks a module, or has it in another shape, and names its agent', async () => {
    const [first, second] = MODULES as [ModuleSpec, ModuleSpec];
    const narrow = { ...second, in: 4 };
    for (const [modules, words] of [
      [[first], /the update of z .*v_proj.lora_A.weight is missing/],
      [[first, narrow], /the update of z .*v_proj is 7 × 4 by the shapes of its factors; allowed: 7 × 10/],
    ] as const) {
      const store = createMemoryObjectStore();
      const task = await storeRound(store, { round: 3, clients: [client('a', 1, 2), client('z', 1, 2, modules)] });
      const result = await run(store, task);
      assert.ok(isRefusal(result) && result.reason === 'badTensor');
      assert.match(result.message, words);
    }
  });

  it("refuses what the strategy refuses, with the module's name", async () => {
    const store = createMemoryObjectStore();
    const result = await run(store, await storeRound(store, { round: 3, clients: MIXED, strategy: 'fedavg' }));
    assert.ok(isRefusal(result) && result.reason === 'rankOutOfRange');
    assert.match(result.message, /^module model\.layers\.0\.self_attn\.q_proj: fedavg: rank of b is 5, of a 2/);
  });

  it('refuses an update that diverged beyond f32, and writes nothing: its object held infinities', async () => {
    const wild = client('b', 1, 4);
    const { b, a } = wild.factors[1]!;
    // About 2^65 each: finite, and their product is so in f64 alone.
    for (const { bytes } of [b, a]) for (let at = 1; at < bytes.byteLength; at += 2) bytes[at] = 0x60;
    const store = createMemoryObjectStore();
    const task = await storeRound(store, { round: 3, clients: [client('a', 1, 2), wild] });
    const result = await run(store, task);
    assert.ok(isRefusal(result) && result.reason === 'badNumber');
    assert.match(result.message, /v_proj: an update diverged: singular value 0 of the sum is .*e\+\d+; allowed: 0 to/);
    assert.equal(await store.head(task.objectName), null);
  });

  it('refuses a previous object that its manifest does not describe', async () => {
    const store = createMemoryObjectStore();
    const first = await runRound(store, { round: 1, clients: [client('p', 1, 3)], rank: 3 });
    const previousManifest = await storeManifest(store, first.task, first.result);
    const changed = first.bytes.slice();
    changed[0]! ^= 1;
    await store.put(first.task.objectName, changed);
    const task = await storeRound(store, {
      round: 2,
      clients: [client('a', 1, 2)],
      strategy: 'flexlora-residual',
      previousManifest,
    });
    const result = await run(store, task);
    assert.ok(isRefusal(result) && result.reason === 'badDigest', JSON.stringify(result));
  });
});

describe('runTask, of faults', () => {
  it('tries a store again that failed for a while', async () => {
    const memory = createMemoryObjectStore();
    const task = await storeRound(memory, { round: 3, clients: MIXED });
    const result = await run(createFaultyStore(memory, { get: 5, put: 2 }).store, task);
    assert.ok(!isRefusal(result));
    assert.equal(sha256((await memory.get(task.objectName))!), result.digest);
  });

  it('throws the fault of a store that stays away, and writes nothing', async () => {
    const memory = createMemoryObjectStore();
    const task = await storeRound(memory, { round: 3, clients: MIXED });
    const { store } = createFaultyStore(memory, { get: Number.POSITIVE_INFINITY });
    await assert.rejects(run(store, task), Fault);
    assert.equal(await memory.head(task.objectName), null);
  });

  it('takes an object that is missing or cut off for a fault: a state mentions it', async () => {
    const store = createMemoryObjectStore();
    const task = await storeRound(store, { round: 3, clients: MIXED });
    const name = 'runs/run-1/rounds/000003/updates/a/1.safetensors';
    const bytes = (await store.get(name))!;
    await store.put(name, bytes.subarray(0, bytes.byteLength - 4));
    await assert.rejects(run(store, task), (error) => error instanceof Fault && /it is cut off/.test(error.message));
    await store.delete(name);
    await assert.rejects(run(store, task), (error) => error instanceof Fault && /is missing/.test(error.message));
  });

  it('stops with the reason of its signal and leaves nothing behind', async () => {
    const stop = new AbortController();
    const memory = createMemoryObjectStore();
    const task = await storeRound(memory, { round: 3, clients: MIXED });
    const store: ObjectStore = {
      ...memory,
      put: async () => {
        stop.abort(new Error('the lease was lost'));
        stop.signal.throwIfAborted();
      },
    };
    await assert.rejects(run(store, task, stop.signal), { message: 'the lease was lost' });
    assert.equal(await memory.head(task.objectName), null);
  });
});
