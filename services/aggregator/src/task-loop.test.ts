import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { FailureVerdict } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { Fault, isRefusal, parseAggregatorId, type Refusal, refuse, type TaskResult } from '@flexlora/core';
import { KernelError } from '@flexlora/kernel';
import { silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, ObjectStoreFault } from '@flexlora/stores';
import { Registry } from 'prom-client';
import { createAggregatorMetrics } from './metrics.ts';
import { connectTaskDoor } from './task-door.ts';
import { runTaskLoop } from './task-loop.ts';
import { createFakeOrchestrator, type FakeAnswers, type FakeOrchestrator } from './testing/fake-orchestrator.ts';
import { storeRound } from './testing/test-round.ts';

interface LoopUnderTest {
  readonly orchestrator: FakeOrchestrator;
  readonly metrics: () => Promise<string>;
}

/** A loop over a real door, whose tasks end as `runTask` says. */
async function withLoop(
  parts: {
    readonly runTask: () => Promise<TaskResult | Refusal>;
    readonly whyNotReady?: () => Promise<string | null>;
    readonly answers?: FakeAnswers;
    readonly tasks: number;
  },
  body: (loop: LoopUnderTest) => Promise<void>,
): Promise<void> {
  const orchestrator = await createFakeOrchestrator(parts.answers ?? {});
  const aggregatorId = parseAggregatorId('aggregator-1');
  assert.ok(!isRefusal(aggregatorId));
  const door = connectTaskDoor({ clock: systemClock }, { target: orchestrator.target, tls: null }, aggregatorId);
  const registry = new Registry();
  const stopped = new AbortController();
  const store = createMemoryObjectStore();
  for (let attempt = 1; attempt <= parts.tasks; attempt += 1)
    orchestrator.offer(await storeRound(store, { round: 3, clients: [], leaseMs: 60_000 }, attempt));
  const loop = runTaskLoop(
    {
      door,
      runTask: parts.runTask,
      whyNotReady: parts.whyNotReady ?? (async () => null),
      clock: { nowMs: () => systemClock.nowMs(), sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 10), signal) },
      random: () => 0.5,
      newClaimId: () => randomBytes(4).toString('hex'),
      logger: silentLogger,
      metrics: createAggregatorMetrics(registry),
    },
    { noClaims: stopped.signal, cut: stopped.signal },
  );
  try {
    await body({ orchestrator, metrics: () => registry.metrics() });
  } finally {
    stopped.abort(new Error('the test ended'));
    await loop;
    door.close();
    await orchestrator.stop();
  }
}

for (const [what, error, verdict, outcome] of [
  ['a store that is away', new ObjectStoreFault('S3 does not answer'), FailureVerdict.HANDED_BACK, 'handedBack'],
  ['an object that is missing', new Fault('object x is missing'), FailureVerdict.RETRY, 'failed'],
  ['a fault of the kernel', new KernelError('internal', 'a thread died'), FailureVerdict.RETRY, 'failed'],
  ['an input that no kernel takes', new KernelError('notFinite', 'NaN at 3'), FailureVerdict.REFUSED, 'refused'],
] as const) {
  test(`${what} ends a try as ${outcome}`, async () => {
    const runTask = () => Promise.reject(error);
    await withLoop({ runTask, tasks: 1 }, async ({ orchestrator, metrics }) => {
      await orchestrator.settled(1);
      assert.deepEqual(
        orchestrator.failed.map((failed) => [failed.verdict, failed.reason]),
        [[verdict, error.message]],
      );
      while (!(await metrics()).includes(`tasks_total{outcome="${outcome}"} 1`)) await new Promise(setImmediate);
    });
  });
}

test('nothing is claimed after a fault of the store until the store answers again', async () => {
  const steps: string[] = [];
  let looks = 0;
  const parts = {
    tasks: 2,
    answers: {
      claim: async () => {
        steps.push('claim');
        return undefined;
      },
    },
    runTask: async () => {
      if (looks === 0) throw new ObjectStoreFault('S3 does not answer');
      return refuse('badSpec', 'as the test wants');
    },
    whyNotReady: async () => {
      looks += 1;
      steps.push(looks < 4 ? 'away' : 'back');
      return looks < 4 ? 'S3 does not answer' : null;
    },
  };
  await withLoop(parts, async ({ orchestrator }) => {
    await orchestrator.settled(2);
    assert.deepEqual(
      orchestrator.failed.map(({ verdict }) => verdict),
      [FailureVerdict.HANDED_BACK, FailureVerdict.REFUSED],
    );
    assert.deepEqual(steps.slice(0, 6), ['claim', 'away', 'away', 'away', 'back', 'claim']);
  });
});

test('a claim whose answer was lost is made again under the same name; after a task that was heard it has another', async () => {
  let claims = 0;
  const answers = {
    claim: async () => {
      claims += 1;
      if (claims === 1) throw new Fault('the answer was lost');
      return undefined;
    },
  };
  const runTask = async () => refuse('badSpec', 'as the test wants');
  await withLoop({ runTask, tasks: 2, answers }, async ({ orchestrator }) => {
    await orchestrator.settled(2);
    const [lost, again, next] = orchestrator.claimed.map(({ claimId }) => claimId);
    assert.match(lost!, /^[0-9a-f]{8}$/);
    assert.equal(again, lost);
    assert.notEqual(next, again);
  });
});
