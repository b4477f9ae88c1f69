import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAggregator } from '@flexlora/aggregator';
import { type AgentEvent, createClientAgent, type Trainer } from '@flexlora/client-agent';
import { Outcome, Phase, RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import {
  LatePolicy,
  RankPolicy,
  type RunSpec,
  Scaling,
  Strategy,
  SvdSplit,
  UpdateFormat,
} from '@flexlora/contracts/run/v1/run_spec';
import { createPortableKernel } from '@flexlora/kernel';
import { createOrchestrator } from '@flexlora/orchestrator';
import { callUnary, cancelOn, connectClient, silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, createMemoryRoundStore } from '@flexlora/stores';

const MODULE = { name: 'model.layers.0.self_attn.q_proj', out: 16, in: 16 };
const BASE_DIGEST = 'a'.repeat(64);
const SPEC: RunSpec = {
  runId: 'reopened',
  baseModelName: 'test',
  baseModelDigest: BASE_DIGEST,
  modules: [{ name: MODULE.name, outFeatures: MODULE.out, inFeatures: MODULE.in, rankGroup: 'attention' }],
  rank: { min: 2, max: 4, tiers: [2, 4], policy: RankPolicy.MEMORY_FIT },
  rounds: 1,
  cohort: { goal: 2, minimum: 2, overSelection: 1, late: LatePolicy.REFUSE },
  // The one who waits for its upload is soon no longer ready: the reopened round waits for it.
  timing: { collectingMs: 4_000, taskLeaseMs: 15_000, agentReadyMs: 2_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 1, scaling: Scaling.CONSTANT },
  strategy: Strategy.FLEXLORA,
  svdSplit: SvdSplit.B,
  aggregation: undefined,
  seed: 1,
  origin: undefined,
  updateFormat: UpdateFormat.AS_TRAINED,
};

/** A trainer whose update is the adapter that it started from. */
function createCopyingTrainer(onTraining: () => void = () => {}): Trainer & { readonly trainings: () => number } {
  let trainings = 0;
  return {
    trainings: () => trainings,
    hello: async () => ({ trainer: 'copying', version: '1', modules: [MODULE], baseDigest: BASE_DIGEST }),
    probe: async ({ ranks }) => ({
      measurements: ranks.map((rank) => ({ rank, memoryBytes: rank, stepSeconds: 0.001 })),
    }),
    train: async ({ adapterIn, adapterOut, steps }) => {
      trainings += 1;
      onTraining();
      await mkdir(adapterOut);
      for (const name of ['adapter_model.safetensors', 'adapter_config.json'])
        await copyFile(join(adapterIn, name), join(adapterOut, name));
      return { samples: 1, steps, lossFirst: 1, lossLast: 1, seconds: 0.001 };
    },
    evaluate: () => assert.fail('nobody evaluates here'),
    close: async () => {},
  };
}

/** A line to a port of this machine that can be held: both ends stay, and nothing passes. */
async function createLine(port: number) {
  const pairs: (readonly [Socket, Socket])[] = [];
  let held = false;
  const join = ([near, far]: readonly [Socket, Socket]): unknown => near.pipe(far).pipe(near);
  const door = createServer((near) => {
    const pair = [near, connect(port, '127.0.0.1')] as const;
    for (const socket of pair) socket.on('error', () => {});
    pairs.push(pair);
    if (!held) join(pair);
  });
  await new Promise<void>((listening) => door.listen(0, '127.0.0.1', listening));
  return {
    port: (door.address() as AddressInfo).port,
    hold: () => {
      held = true;
      for (const socket of pairs.flat()) socket.unpipe().pause();
    },
    letGo: () => {
      if (!held) return;
      held = false;
      pairs.forEach(join);
    },
    cut: () => {
      for (const socket of pairs.flat()) socket.destroy();
      door.close();
    },
  };
}

test('an update that comes while its round is closed is sent again when the round is open again, and the run completes', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'flexlora-reopened-'));
  const deps = {
    roundStore: createMemoryRoundStore({ now: systemClock.nowMs }),
    objectStore: createMemoryObjectStore(),
    kernel: createPortableKernel(),
    clock: systemClock,
    logger: silentLogger,
    random: Math.random,
  };
  const orchestrator = await createOrchestrator(deps);
  const control = { target: `127.0.0.1:${orchestrator.port}`, tls: null };
  const aggregator = await createAggregator(deps, {
    aggregatorId: 'aggregator-1',
    orchestrator: control,
    parallelTasks: 1,
    stopGraceMs: 0,
  });
  const line = await createLine(orchestrator.port);
  const client = connectClient(RunServiceClient, control);
  const ended = new AbortController();
  const agents: Promise<unknown>[] = [];
  const events: AgentEvent[] = [];
  const start = (agentId: string, trainer: Trainer, more: Partial<Parameters<typeof createClientAgent>[1]> = {}) => {
    const options = {
      runId: SPEC.runId,
      agentId,
      control,
      workDirectory: scratch,
      data: {},
      memoryBytesMax: 1_000,
      uplinkBytesPerSecond: 1e6,
      // Asks so often that it stays ready.
      limits: { awaitMs: 500 },
      ...more,
    };
    agents.push(createClientAgent({ ...deps, trainer }, options).run(ended.signal));
  };
  try {
    await callUnary(client, client.createRun, { spec: SPEC }, { deadlineMs: 10_000 });
    const slow = createCopyingTrainer(line.hold);
    start('quick', createCopyingTrainer());
    start('slow', slow, {
      transfer: { target: `127.0.0.1:${line.port}`, tls: null },
      onEvent: (event) => events.push(event),
    });
    let outcome: Outcome | undefined;
    for await (const { run } of cancelOn(client.watchRun({ runId: SPEC.runId, withoutCohort: true }), ended.signal)) {
      if (slow.trainings() > 0 && run?.phase === Phase.RECRUITING) line.letGo();
      outcome = run?.outcome;
    }
    assert.equal(outcome, Outcome.COMPLETED);
    assert.ok(
      events.some((event) => event.kind === 'refused' && event.reason === 'late'),
      JSON.stringify(events),
    );
    assert.equal(events.filter(({ kind }) => kind === 'accepted').length, 1);
    assert.equal(events.filter(({ kind }) => kind === 'declined').length, 0);
    assert.equal(slow.trainings(), 1);
  } finally {
    ended.abort(new Error('the test ended'));
    line.cut();
    await Promise.allSettled(agents);
    client.close();
    await aggregator.stop();
    await orchestrator.stop();
    await rm(scratch, { recursive: true });
  }
});
