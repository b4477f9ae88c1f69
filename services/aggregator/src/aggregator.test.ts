import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { FailureVerdict, type Task } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { Fault, refuse } from '@flexlora/core';
import { createPortableKernel, type Kernel } from '@flexlora/kernel';
import { type Clock, silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, type ObjectStore } from '@flexlora/stores';
import { Registry } from 'prom-client';
import { type Aggregator, type AggregatorOptions, createAggregator } from './aggregator.ts';
import { createFakeOrchestrator, type FakeAnswers, type FakeOrchestrator } from './testing/fake-orchestrator.ts';
import { createFaultyStore } from './testing/faulty-store.ts';
import { CLAIM_ID, MODULES, sha256, storeRound, type TestClient } from './testing/test-round.ts';
import { noiseFactors } from './testing/update-file.ts';

const portable = createPortableKernel();
/** Long enough that no test ends by it. */
const NEVER_MS = 3_600_000;
/** A lease that is renewed while a task waits. */
const SHORT_LEASE_MS = 30;

/** Real time, of which no wait but a test's own grace is longer than this. */
const WAIT_MS_MAX = 20;
const quickClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  sleep: (ms, signal) => systemClock.sleep(ms === NEVER_MS ? ms : Math.min(ms, WAIT_MS_MAX), signal),
};

const toStop: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function startOrchestrator(answers: FakeAnswers = {}): Promise<FakeOrchestrator> {
  const orchestrator = await createFakeOrchestrator(answers);
  toStop.push(() => orchestrator.stop());
  return orchestrator;
}

async function startAggregator(
  objectStore: ObjectStore,
  orchestrator: Pick<FakeOrchestrator, 'target'>,
  options: Partial<AggregatorOptions> = {},
  { kernel = portable, registry = new Registry() }: { readonly kernel?: Kernel; readonly registry?: Registry } = {},
): Promise<Aggregator> {
  const aggregator = await createAggregator(
    {
      objectStore,
      kernel,
      clock: quickClock,
      logger: silentLogger,
      newClaimId: () => CLAIM_ID,
      random: Math.random,
      registry,
    },
    {
      aggregatorId: 'aggregator-1',
      orchestrator: { target: orchestrator.target, tls: null },
      parallelTasks: 1,
      stopGraceMs: NEVER_MS,
      ...options,
    },
  );
  toStop.push(() => aggregator.stop());
  return aggregator;
}

function client(agent: string, samples: number, rank: number): TestClient {
  const seed = agent.charCodeAt(0) * 1_000;
  return { agent, samples, rank, factors: MODULES.map((module, i) => noiseFactors(module, rank, seed + i)) };
}

const CLIENTS = [client('a', 3, 2), client('b', 1, 5)];
const storeTask = (store: ObjectStore, leaseMs = 60_000, attempt = 1): Promise<Task> =>
  storeRound(store, { round: 3, clients: CLIENTS, leaseMs }, attempt);

/** A kernel that waits before it truncates. */
function waitingKernel(wait: (signal: AbortSignal | undefined) => Promise<void>): Kernel {
  return {
    ...portable,
    beginSum: (request) => {
      const sum = portable.beginSum(request);
      return {
        ...sum,
        truncate: async (signal) => {
          await wait(signal);
          return sum.truncate(signal);
        },
      };
    },
  };
}

/** A kernel whose first call waits until it is told, or until it is aborted. */
function createHeldKernel() {
  const began = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const kernel = waitingKernel(async (signal) => {
    began.resolve();
    const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([goOn.promise, aborted]);
    signal?.throwIfAborted();
  });
  return { kernel, began: began.promise, goOn: goOn.resolve };
}

test('a task is claimed, done, and handed in with what was written', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator();
  const registry = new Registry();
  const task = await storeTask(store);
  orchestrator.offer(task);
  const aggregator = await startAggregator(store, orchestrator, {}, { registry });
  await orchestrator.settled(1);
  const [completed] = orchestrator.completed;
  assert.ok(completed !== undefined, JSON.stringify(orchestrator.failed));
  assert.equal(completed.aggregatorId, 'aggregator-1');
  assert.deepEqual(completed.task, { runId: 'run-1', round: 3, taskId: 'attention-0', attempt: 1 });
  const bytes = (await store.get(task.objectName))!;
  assert.equal(completed.bytes, bytes.byteLength);
  assert.equal(completed.sha256, sha256(bytes));
  assert.equal(completed.componentSha256.length, 8);
  assert.deepEqual(
    completed.modules.map(({ name, rank, rankSum, spectrum }) => [name, rank, rankSum, spectrum.length]),
    MODULES.map(({ name }, i) => [name, [8, 7][i], 7, [8, 7][i]]),
  );
  await aggregator.stop();
  assert.match(await registry.metrics(), /flexlora_aggregation_tasks_total\{outcome="completed"\} 1/);
});

test('two aggregators that do the same task write the same bytes', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator();
  orchestrator.offer(await storeTask(store, 60_000, 1));
  orchestrator.offer(await storeTask(store, 60_000, 2));
  const held = createHeldKernel();
  // The first one holds its task until the second one has done the other attempt.
  await startAggregator(store, orchestrator, { aggregatorId: 'slow' }, { kernel: held.kernel });
  await held.began;
  await startAggregator(store, orchestrator, { aggregatorId: 'fast' });
  await orchestrator.settled(1);
  held.goOn();
  await orchestrator.settled(2);
  const [first, second] = orchestrator.completed;
  assert.deepEqual([first?.aggregatorId, second?.aggregatorId], ['fast', 'slow']);
  assert.equal(first?.sha256, second?.sha256);
  assert.deepEqual(first?.componentSha256, second?.componentSha256);
});

test('one aggregator does as many tasks at a time as it is told', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator();
  for (const attempt of [1, 2]) orchestrator.offer(await storeTask(store, 60_000, attempt));
  const both = Promise.withResolvers<void>();
  let running = 0;
  const kernel = waitingKernel(async () => {
    running += 1;
    if (running === 2) both.resolve();
    await both.promise;
  });
  await startAggregator(store, orchestrator, { parallelTasks: 2 }, { kernel });
  await orchestrator.settled(2);
  assert.equal(orchestrator.completed.length, 2);
});

test('a lease is renewed while a task is done', async () => {
  const store = createMemoryObjectStore();
  const renewedTwice = Promise.withResolvers<void>();
  let renewals = 0;
  const orchestrator = await startOrchestrator({
    renew: async () => {
      renewals += 1;
      if (renewals === 2) renewedTwice.resolve();
      return undefined;
    },
  });
  orchestrator.offer(await storeTask(store, SHORT_LEASE_MS));
  const held = createHeldKernel();
  await startAggregator(store, orchestrator, {}, { kernel: held.kernel });
  await renewedTwice.promise;
  held.goOn();
  await orchestrator.settled(1);
  assert.equal(orchestrator.completed.length, 1);
  assert.deepEqual(orchestrator.renewed[0]?.task, { runId: 'run-1', round: 3, taskId: 'attention-0', attempt: 1 });
});

test('an orchestrator that is away for longer than the lease costs no work', async () => {
  const store = createMemoryObjectStore();
  const back = Promise.withResolvers<void>();
  let renewals = 0;
  const orchestrator = await startOrchestrator({
    renew: async () => {
      renewals += 1;
      if (renewals === 5) back.resolve();
      throw new Fault('Redis does not answer');
    },
  });
  orchestrator.offer(await storeTask(store, SHORT_LEASE_MS));
  const held = createHeldKernel();
  await startAggregator(store, orchestrator, {}, { kernel: held.kernel });
  await back.promise;
  held.goOn();
  await orchestrator.settled(1);
  assert.equal(orchestrator.completed.length, 1);
});

test('a lease that is lost in the middle ends the work: nothing is handed in, nothing is written, nothing is failed', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator({
    renew: async () => refuse('leaseLost', 'aggregator-1 no longer holds attempt 1 of task attention-0'),
  });
  const registry = new Registry();
  const task = await storeTask(store, SHORT_LEASE_MS);
  orchestrator.offer(task);
  const held = createHeldKernel();
  const aggregator = await startAggregator(store, orchestrator, {}, { kernel: held.kernel, registry });
  await held.began;
  // Nothing but the lost lease lets the kernel go; the next task shows that the loop goes on.
  orchestrator.offer({ ...(await storeTask(store, 60_000, 2)), taskId: 'not a task id' });
  await orchestrator.settled(1);
  assert.equal(orchestrator.completed.length, 0);
  assert.equal(orchestrator.failed[0]?.task?.attempt, 2);
  assert.equal(await store.head(task.objectName), null);
  await aggregator.stop();
  assert.match(await registry.metrics(), /flexlora_aggregation_tasks_total\{outcome="lost"\} 1/);
});

test('a result that comes too late is dropped without a word', async () => {
  const store = createMemoryObjectStore();
  const late = Promise.withResolvers<void>();
  const orchestrator = await startOrchestrator({
    complete: async () => {
      late.resolve();
      return refuse('leaseLost', 'attempt 2 is leased');
    },
  });
  const registry = new Registry();
  orchestrator.offer(await storeTask(store));
  const aggregator = await startAggregator(store, orchestrator, {}, { registry });
  await late.promise;
  await aggregator.stop();
  assert.deepEqual(orchestrator.failed, []);
  assert.match(await registry.metrics(), /tasks_total\{outcome="lost"\} 1/);
});

test('a result that the orchestrator refuses fails the task with its words', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator({
    complete: async () => refuse('badTensor', 'size is 1; the modules allow 2 bytes: fail the task'),
  });
  orchestrator.offer(await storeTask(store));
  await startAggregator(store, orchestrator);
  await orchestrator.settled(1);
  assert.equal(orchestrator.failed[0]?.verdict, FailureVerdict.REFUSED);
  assert.match(orchestrator.failed[0]?.reason ?? '', /the modules allow 2 bytes/);
});

test('a ledger of another digest fails the task as refused', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator();
  const task = await storeTask(store);
  await store.put(task.ledger!.objectName, Buffer.from('{}'));
  orchestrator.offer(task);
  await startAggregator(store, orchestrator);
  await orchestrator.settled(1);
  assert.equal(orchestrator.failed[0]?.verdict, FailureVerdict.REFUSED);
  assert.match(orchestrator.failed[0]?.reason ?? '', /SHA-256 of .*ledger\.json is/);
});

test('an update that holds NaN fails the task as refused and is named', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator();
  const bad = client('bad-agent', 1, 4);
  const { a } = bad.factors[0]!;
  new DataView(a.bytes.buffer, a.bytes.byteOffset).setFloat32(8, Number.NaN, true);
  orchestrator.offer(await storeRound(store, { round: 3, clients: [...CLIENTS, bad] }));
  await startAggregator(store, orchestrator);
  await orchestrator.settled(1);
  assert.equal(orchestrator.failed[0]?.verdict, FailureVerdict.REFUSED);
  assert.match(orchestrator.failed[0]?.reason ?? '', /bad-agent/);
  assert.match(orchestrator.failed[0]?.reason ?? '', /q_proj/);
});

test('a store that stays away gives the task back for another try, and the next one is done', async () => {
  const memory = createMemoryObjectStore();
  const { store } = createFaultyStore(memory, { get: 6 });
  const orchestrator = await startOrchestrator();
  const task = await storeTask(memory);
  orchestrator.offer(task);
  await startAggregator(store, orchestrator);
  await orchestrator.settled(1);
  assert.equal(orchestrator.failed[0]?.verdict, FailureVerdict.HANDED_BACK);
  assert.match(orchestrator.failed[0]?.reason ?? '', /the test makes get of .* fail/);
  orchestrator.offer(await storeTask(memory, 60_000, 2));
  await orchestrator.settled(2);
  assert.equal(orchestrator.completed.length, 1);
});

test('an orchestrator that is away is asked again, for a claim and for a completion', async () => {
  const store = createMemoryObjectStore();
  let claims = 0;
  let completions = 0;
  const orchestrator = await startOrchestrator({
    claim: async () => {
      claims += 1;
      if (claims <= 3) throw new Fault('Redis does not answer');
      return undefined;
    },
    complete: async () => {
      completions += 1;
      if (completions <= 3) throw new Fault('Redis does not answer');
      return undefined;
    },
  });
  orchestrator.offer(await storeTask(store));
  await startAggregator(store, orchestrator);
  await orchestrator.settled(1);
  assert.deepEqual([claims >= 4, completions, orchestrator.completed.length], [true, 4, 1]);
});

test('stopping lets a task under way finish within the grace', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator();
  orchestrator.offer(await storeTask(store));
  const held = createHeldKernel();
  const aggregator = await startAggregator(store, orchestrator, {}, { kernel: held.kernel });
  await held.began;
  const stopped = aggregator.stop();
  held.goOn();
  await stopped;
  assert.equal(orchestrator.completed.length, 1);
  assert.deepEqual(orchestrator.failed, []);
});

test('stopping hands a task back that does not finish within the grace', async () => {
  const store = createMemoryObjectStore();
  const orchestrator = await startOrchestrator();
  orchestrator.offer(await storeTask(store));
  const held = createHeldKernel();
  const aggregator = await startAggregator(store, orchestrator, { stopGraceMs: 0 }, { kernel: held.kernel });
  await held.began;
  await aggregator.stop();
  assert.equal(orchestrator.completed.length, 0);
  assert.deepEqual(
    orchestrator.failed.map(({ verdict, reason }) => [verdict, reason]),
    [[FailureVerdict.HANDED_BACK, 'the aggregator stops']],
  );
});

test('stopping does not wait for a claim that the orchestrator holds', async () => {
  const store = createMemoryObjectStore();
  const asked = Promise.withResolvers<void>();
  const orchestrator = await startOrchestrator({
    claim: () => {
      asked.resolve();
      return new Promise(() => {});
    },
  });
  const aggregator = await startAggregator(store, orchestrator);
  await asked.promise;
  await Promise.all([aggregator.stop(), aggregator.stop()]);
});

test('readiness is that of the object store', async () => {
  const memory = createMemoryObjectStore();
  const orchestrator = await startOrchestrator();
  const ready = await startAggregator(memory, orchestrator);
  assert.equal(await ready.whyNotReady(), null);
  const away: ObjectStore = {
    ...memory,
    checkReady: async () => {
      throw new Fault('bucket flexlora does not exist');
    },
  };
  assert.equal(await (await startAggregator(away, orchestrator)).whyNotReady(), 'bucket flexlora does not exist');
  const silent: ObjectStore = { ...memory, checkReady: () => new Promise(() => {}) };
  assert.match(
    (await (await startAggregator(silent, orchestrator)).whyNotReady()) ?? '',
    /did not answer within 3000 ms/,
  );
});

test('an id or a number of tasks that is not allowed is refused at the start', async () => {
  const store = createMemoryObjectStore();
  const nowhere = { target: '127.0.0.1:1' };
  await assert.rejects(startAggregator(store, nowhere, { aggregatorId: 'Not An Id' }), /aggregator_id is "Not An Id"/);
  await assert.rejects(startAggregator(store, nowhere, { parallelTasks: 0 }), /parallelTasks is 0; allowed/);
});
