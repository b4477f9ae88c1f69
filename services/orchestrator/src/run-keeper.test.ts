import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeState, type RunSpec, step } from '@flexlora/core';
import { type Clock, silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, createMemoryRoundStore, leaseOf, type RoundStore } from '@flexlora/stores';
import { Registry } from 'prom-client';
import { createOrchestratorMetrics } from './metrics.ts';
import { createEventDoor } from './offer-event.ts';
import { createReplyWaiters } from './reply-waiters.ts';
import { createRunKeeper, type RunKeeper } from './run-keeper.ts';
import { createRunSignals, type RunSignals } from './run-signals.ts';

const spec = {
  runId: 'toy',
  baseModel: { name: 'Toy', digest: 'ab'.repeat(32) },
  modules: [{ name: 'q', out: 4, in: 3, rankGroup: 'attention' }],
  rank: { min: 1, max: 2, tiers: [2], policy: 'uniform' },
  rounds: 1,
  cohort: { goal: 1, minimum: 1, overSelection: 1 },
  timing: { collectingMs: 1_000, taskLeaseMs: 1_000, agentReadyMs: 1_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 2, scaling: 'constant' },
  strategy: 'flexlora',
  svdSplit: 'b',
  aggregation: { tolerance: 1.001 },
  seed: 1,
} as unknown as RunSpec;

test('a stop that comes while a lease is on its way leaves no session: another one has the lease at once', async () => {
  const memory = createMemoryRoundStore({ now: systemClock.nowMs });
  const { state } = step(null, { kind: 'runCreated', atMs: 1, spec });
  await memory.createRun(spec.runId);
  const lease = leaseOf(await memory.acquireLease(spec.runId, 'creator', 600_000))!;
  const batch = { expectedVersion: 0, put: encodeState(state!), drop: [], consumed: 0, replies: [] };
  assert.equal(await memory.commit(lease, batch), 'committed');
  await memory.releaseLease(lease);

  const asked = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  const roundStore: RoundStore = {
    ...memory,
    acquireLease: async (...words) => {
      asked.resolve();
      await stopped.promise;
      return memory.acquireLease(...words);
    },
  };
  const { keeper, signals } = await keep(roundStore, systemClock);
  await asked.promise;
  const stopping = keeper.stop();
  stopped.resolve();
  await stopping;
  assert.notEqual(leaseOf(await memory.acquireLease(spec.runId, 'another one', 600_000)), null);
  signals.close();
});

test('a stand-by waits for the end of the lease, and no longer when it is given back', async () => {
  const memory = createMemoryRoundStore({ now: systemClock.nowMs });
  await memory.createRun(spec.runId);
  const holder = leaseOf(await memory.acquireLease(spec.runId, 'holder', 600_000))!;
  const waits: number[] = [];
  const stood = Promise.withResolvers<void>();
  const clock: Clock = {
    nowMs: systemClock.nowMs,
    sleep: (ms, signal) => {
      waits.push(ms);
      if (ms > 590_000) stood.resolve();
      return systemClock.sleep(ms, signal);
    },
  };
  const taken = Promise.withResolvers<string>();
  const roundStore: RoundStore = {
    ...memory,
    acquireLease: async (...words) => {
      const answer = await memory.acquireLease(...words);
      if (answer.kind === 'granted') taken.resolve(answer.lease.holder);
      return answer;
    },
  };
  const { keeper, signals } = await keep(roundStore, clock);
  await stood.promise;
  assert.ok(
    waits.some((ms) => ms > 590_000 && ms <= 600_201),
    waits.join(', '),
  );
  await memory.releaseLease(holder);
  assert.match(await taken.promise, /^keeper-\d+$/);
  await keeper.stop();
  signals.close();
});

async function keep(
  roundStore: RoundStore,
  clock: Clock,
): Promise<{ readonly keeper: RunKeeper; readonly signals: RunSignals }> {
  const signals = await createRunSignals({ roundStore, clock });
  const metrics = createOrchestratorMetrics(new Registry());
  const waiters = createReplyWaiters({ roundStore, signals, clock });
  const shared = { roundStore, signals, clock, metrics };
  const keeper = createRunKeeper(
    {
      ...shared,
      objectStore: createMemoryObjectStore(),
      door: createEventDoor({ ...shared, waiters }),
      random: () => 0.5,
      logger: silentLogger,
    },
    { holder: 'keeper', leaseMs: 600_000 },
  );
  return { keeper, signals };
}
