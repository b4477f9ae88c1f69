import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AgentEvent, createClientAgent, type Trainer } from '@flexlora/client-agent';
import { Outcome, Phase } from '@flexlora/contracts/run/v1/run_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { callUnary, cancelOn } from '@flexlora/runtime';
import { createTestTrainer, memoryFit, startMemoryPlatform, testRunSpec } from './memory-platform.ts';

const MODULE = { name: 'model.layers.0.self_attn.q_proj', out: 16, in: 16 };
const SPEC: RunSpec = testRunSpec([MODULE], {
  runId: 'reopened',
  rank: memoryFit([2, 4], 4),
  // The one who waits for its upload is soon no longer ready: the reopened round waits for it.
  timing: { collectingMs: 4_000, taskLeaseMs: 15_000, agentReadyMs: 2_000 },
});

/** A trainer whose update is the adapter that it started from. */
function createCopyingTrainer(onTraining: () => void = () => {}): Trainer & { readonly trainings: () => number } {
  let trainings = 0;
  const trainer = createTestTrainer([MODULE], async ({ adapterIn, adapterOut }) => {
    trainings += 1;
    onTraining();
    for (const name of ['adapter_model.safetensors', 'adapter_config.json'])
      await copyFile(join(adapterIn, name), join(adapterOut, name));
  });
  return { ...trainer, trainings: () => trainings };
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
  const platform = await startMemoryPlatform();
  const { deps, runs } = platform;
  const line = await createLine(platform.port);
  const ended = new AbortController();
  const agents: Promise<unknown>[] = [];
  const events: AgentEvent[] = [];
  const start = (agentId: string, trainer: Trainer, more: Partial<Parameters<typeof createClientAgent>[1]> = {}) => {
    const options = {
      ...platform.agentOptions(SPEC.runId, agentId, scratch),
      // Asks so often that it stays ready.
      limits: { awaitMs: 500 },
      ...more,
    };
    agents.push(createClientAgent({ ...deps, trainer }, options).run(ended.signal));
  };
  try {
    await callUnary(runs, runs.createRun, { spec: SPEC }, { deadlineMs: 10_000 });
    const slow = createCopyingTrainer(line.hold);
    start('quick', createCopyingTrainer());
    start('slow', slow, {
      transfer: { target: `127.0.0.1:${line.port}`, tls: null },
      onEvent: (event) => events.push(event),
    });
    let outcome: Outcome | undefined;
    for await (const { run } of cancelOn(runs.watchRun({ runId: SPEC.runId, withoutCohort: true }), ended.signal)) {
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
    await platform.stop();
    await rm(scratch, { recursive: true });
  }
});
