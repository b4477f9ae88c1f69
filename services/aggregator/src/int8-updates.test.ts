import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesOfValues,
  dequantiseRows,
  factorValues,
  isRefusal,
  quantiseRows,
  type RawFactor,
  type StrategyName,
} from '@flexlora/core';
import { createPortableKernel } from '@flexlora/kernel';
import { createMemoryObjectStore } from '@flexlora/stores';
import { Registry } from 'prom-client';
import { createHeaderCache } from './header-cache.ts';
import { createAggregatorMetrics } from './metrics.ts';
import { runTask } from './run-task.ts';
import { hastyClock } from './testing/hasty-clock.ts';
import { CLAIM_ID, MODULES, storeManifest, storeRound, type TestClient, type TestRound } from './testing/test-round.ts';
import { encodeQuantised, noiseFactors, type TestFactors } from './testing/update-file.ts';
import { workFromMessage } from './translate.ts';

const FOREVER = new AbortController().signal;
const kernel = createPortableKernel();

function client(agent: string, samples: number, rank: number): TestClient {
  const factors = MODULES.map((module, i) => noiseFactors(module, rank, agent.charCodeAt(0) * 1_000 + i));
  return { agent, samples, rank, factors, encode: encodeQuantised };
}

/** The same numbers as f32. */
const dequantised = ({ encode: _, ...rest }: TestClient): TestClient => ({
  ...rest,
  factors: rest.factors.map(({ module, b, a }): TestFactors => ({ module, b: ofSteps(b), a: ofSteps(a) })),
});

function ofSteps(factor: RawFactor): RawFactor {
  const steps = quantiseRows(factorValues(factor), factor.rows, factor.cols)!;
  return { ...factor, bytes: bytesOfValues(dequantiseRows(steps)) };
}

/** Rounds 1 and 2; the digest of the second adapter, which of some strategies starts from the first. */
async function digestOf(clients: readonly TestClient[], strategy: StrategyName): Promise<string> {
  const store = createMemoryObjectStore();
  const run = async (round: TestRound) => {
    const task = await storeRound(store, round);
    const work = workFromMessage(task, CLAIM_ID);
    assert.ok(!isRefusal(work));
    const metrics = createAggregatorMetrics(new Registry());
    const deps = { objectStore: store, kernel, clock: hastyClock, random: Math.random, metrics };
    const result = await runTask({ ...deps, headers: createHeaderCache(0) }, work, FOREVER);
    assert.ok(!isRefusal(result), isRefusal(result) ? result.message : '');
    return { task, result };
  };
  const first = await run({ round: 1, clients, strategy: strategy === 'flexlora-residual' ? 'flexlora' : strategy });
  const previousManifest = await storeManifest(store, first.task, first.result);
  const second = await run({ round: 2, clients, strategy, previousManifest });
  return second.result.digest;
}

for (const strategy of ['flexlora', 'flexlora-residual', 'fedavg', 'hetlora'] as const) {
  test(`${strategy} makes of int8 updates what it makes of their numbers as f32, byte for byte`, async () => {
    const ranks = strategy === 'fedavg' ? [4, 4, 4] : [2, 5, 7];
    const clients = ['a', 'b', 'c'].map((agent, i) => client(agent, 10 * (i + 1), ranks[i]!));
    assert.equal(await digestOf(clients, strategy), await digestOf(clients.map(dequantised), strategy));
  });
}
