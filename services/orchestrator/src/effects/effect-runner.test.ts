import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EffectId, Fault, type RoundEffect, type RoundState, type RunSpec, step } from '@flexlora/core';
import { type Clock, silentLogger } from '@flexlora/runtime';
import { createMemoryObjectStore, type Lease, type ObjectStore } from '@flexlora/stores';
import { Registry } from 'prom-client';
import { createOrchestratorMetrics } from '../metrics.ts';
import type { EventDoor } from '../offer-event.ts';
import { createEffectRunner } from './effect-runner.ts';

const spec = {
  runId: 'toy',
  baseModel: { name: 'Toy', digest: 'ab'.repeat(32) },
  modules: [{ name: 'q', out: 4, in: 3, rankGroup: 'attention' }],
  rank: { min: 1, max: 2, tiers: [2], policy: 'uniform' },
  rounds: 20,
  cohort: { goal: 1, minimum: 1, overSelection: 1, late: 'refuse' },
  timing: { collectingMs: 1_000, taskLeaseMs: 1_000, agentReadyMs: 1_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 2, scaling: 'constant' },
  strategy: 'flexlora',
  svdSplit: 'b',
  aggregation: { tolerance: 1.001 },
  seed: 1,
  origin: null,
} as unknown as RunSpec;
const state = step(null, { kind: 'runCreated', atMs: 1, spec }).state!;
/** Nobody waits: a retry comes at once, in a later turn. */
const clock: Clock = { nowMs: () => 1, sleep: () => new Promise((resolve) => setImmediate(resolve)) };

function runnerOn(objectStore: ObjectStore) {
  const told: string[] = [];
  const stop = new AbortController();
  const door: Pick<EventDoor, 'tell'> = {
    tell: async (_, __, event) => {
      if (event.kind === 'effectDone') told.push(event.effectId);
      return null;
    },
  };
  const runner = createEffectRunner({
    objectStore,
    door: door as EventDoor,
    clock,
    random: () => 0.5,
    logger: silentLogger,
    metrics: createOrchestratorMetrics(new Registry()),
    signal: stop.signal,
    lease: { runId: spec.runId, epoch: 1, holder: 'test' } as unknown as Lease,
    catchUp: async () => null,
  });
  const untilTold = async (count: number): Promise<void> => {
    while (told.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { runner, told, untilTold, stop };
}

test('sweeps that fail for ever keep no round from going on', async () => {
  const store: ObjectStore = {
    ...createMemoryObjectStore(),
    list: () => {
      throw new Fault('this bucket lets nothing be listed');
    },
  };
  const { runner, told, untilTold, stop } = runnerOn(store);
  const sweeps: RoundEffect[] = Array.from({ length: 20 }, (_, round) => ({ kind: 'sweepRound', round }));
  runner.start(state, 1, [...sweeps, { kind: 'writeSpec' }, { kind: 'writeLedger', round: 0 }]);
  await untilTold(2);
  assert.deepEqual(told.toSorted(), ['write-ledger-0', 'write-spec']);
  stop.abort();
  await runner.idle();
});

test('an effect that is pending and that nobody works on is begun again, and no other', async () => {
  const { runner, told, untilTold, stop } = runnerOn(createMemoryObjectStore());
  const pending: RoundState = { ...state, effects: new Map([...state.effects]) };
  assert.deepEqual([...pending.effects.keys()].toSorted(), ['write-ledger-0', 'write-spec'] as EffectId[]);
  runner.start(pending, 1, [{ kind: 'writeSpec' }]);
  runner.startForgotten(pending, 1);
  runner.startForgotten(pending, 1);
  await untilTold(2);
  await runner.idle();
  assert.deepEqual(told.toSorted(), ['write-ledger-0', 'write-spec']);
  stop.abort();
});
