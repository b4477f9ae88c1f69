import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeState, type RunSpec, step } from '@flexlora/core';
import { silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, createMemoryRoundStore, type RoundStore } from '@flexlora/stores';
import { Registry } from 'prom-client';
import { createOrchestratorMetrics } from './metrics.ts';
import { createEventDoor } from './offer-event.ts';
import { createReplyWaiters } from './reply-waiters.ts';
import { createRunKeeper } from './run-keeper.ts';
import { createRunSignals } from './run-signals.ts';

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
  const lease = (await memory.acquireLease(spec.runId, 'creator', 600_000))!;
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
  const signals = await createRunSignals({ roundStore, clock: systemClock });
  const metrics = createOrchestratorMetrics(new Registry());
  const waiters = createReplyWaiters({ roundStore, signals, clock: systemClock });
  const shared = { roundStore, signals, clock: systemClock, metrics };
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
  await asked.promise;
  const stopping = keeper.stop();
  stopped.resolve();
  await stopping;
  assert.notEqual(await memory.acquireLease(spec.runId, 'another one', 600_000), null);
  signals.close();
});
