import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Stage } from '@flexlora/contracts/agent/v1/agent_service';
import { Fault, refuse } from '@flexlora/core';
import { createMemoryDisk } from './disk/memory-disk.ts';
import { REPEATS_WAITED_MAX } from './limits.ts';
import { parseReceipts } from './receipts.ts';
import { startAgent, updatesOnDisk, withPlatform } from './testing/agent-under-test.ts';
import { createFakePlatform } from './testing/fake-platform.ts';
import { createScriptedTrainer, SAMPLES } from './testing/scripted-trainer.ts';

test('an agent takes part from enrolment to the end of the run', async () => {
  const platform = createFakePlatform({ rounds: 2 });
  await withPlatform(platform, async (workDirectory) => {
    const trainer = createScriptedTrainer();
    const agent = startAgent(platform, trainer, workDirectory, { stepSecondsFactor: 3 });
    assert.equal(await agent.ended, 'completed');

    const kinds = agent.events.map(({ kind }) => kind).filter((kind, index, all) => kind !== all[index - 1]);
    const round = ['assigned', 'downloading', 'training', 'trained', 'uploading', 'accepted'];
    assert.deepEqual(kinds, ['enrolled', ...round, ...round, 'ended']);
    assert.deepEqual([...platform.seen.accepted.keys()], [1, 2]);
    assert.deepEqual(await updatesOnDisk(workDirectory), []);

    const { seed, alpha, scaling, steps, batchSize, learningRate, data, ranks } = trainer.trainings[1]!;
    assert.deepEqual(
      { seed, alpha, scaling, steps, batchSize, learningRate, data, ranks },
      {
        seed: 2,
        alpha: 6,
        scaling: 'alphaOverRank',
        steps: 5,
        batchSize: 2,
        learningRate: 0.01,
        data: { split: 'a' },
        // v_proj has three rows: no more than rank 3.
        ranks: { 'model.q_proj': 4, 'model.v_proj': 3, 'model.up_proj': 2 },
      },
    );
    const [opened] = platform.seen.opens;
    assert.deepEqual([opened?.samples, opened?.loss], [SAMPLES, 1.5]);
  });
});

test('what an agent has is measured at four ranks of the run before it asks for work, and its samples are told when they are known', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    const trainer = createScriptedTrainer();
    let enrolmentsAtFirstWork = 0;
    platform.faults.await = () => {
      enrolmentsAtFirstWork ||= platform.seen.enrolments.length;
      return null;
    };
    await startAgent(platform, trainer, workDirectory, { stepSecondsFactor: 3 }).ended;
    assert.deepEqual(trainer.probes, [
      [2, 4],
      [2, 4, 6, 8],
    ]);
    const profile = platform.seen.enrolments[enrolmentsAtFirstWork - 1]?.profile;
    assert.deepEqual(profile, {
      memoryBytesMax: 1_000_000,
      measurements: [2, 4, 6, 8].map((rank) => ({ rank, memoryBytes: 1_000 + rank, stepSeconds: 1.5 })),
      uplinkBytesPerSecond: 1_000,
      samples: 1,
    });
    assert.equal(platform.seen.enrolments.at(-1)?.profile?.samples, SAMPLES);
  });
});

test('an agent keeps trying while the platform is away, and goes on when it is back', async () => {
  const platform = createFakePlatform({ rounds: 2 });
  await withPlatform(platform, async (workDirectory) => {
    await platform.stop();
    const agent = startAgent(platform, createScriptedTrainer(), workDirectory);
    await agent.told('retrying', ({ what }) => what === 'enrol');
    await platform.start();
    await agent.told('accepted', ({ round }) => round === 1);
    await platform.stop();
    await platform.start();
    assert.equal(await agent.ended, 'completed');
    assert.equal(platform.seen.accepted.size, 2);
  });
});

test('a wait that the server asks for is taken', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    let asked = 0;
    platform.faults.await = () => {
      asked += 1;
      if (asked === 1) throw new Fault('a backend is away');
      if (asked > 2) return null;
      return { answer: { $case: 'comeBack', value: { afterMs: 1_234, reason: 'waits for agents' } } };
    };
    const agent = startAgent(platform, createScriptedTrainer(), workDirectory, {
      limits: { retry: { firstMs: 1, mostMs: 2, attemptsMax: Number.POSITIVE_INFINITY } },
    });
    assert.equal(await agent.ended, 'completed');
    const waits = agent.events.flatMap((event) =>
      event.kind === 'retrying' ? [event.waitMs] : event.kind === 'waiting' ? [event.afterMs] : [],
    );
    // What a failure asks for is spread; when to come back was spread by the server.
    assert.deepEqual(waits, [1_250, 1_234]);
  });
});

test('a run that was cancelled ends the agent', async () => {
  const platform = createFakePlatform({ rounds: 0 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.outcome = 'cancelled';
    assert.equal(await startAgent(platform, createScriptedTrainer(), workDirectory).ended, 'cancelled');
  });
});

test('an agent that the platform forgot enrols again', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    let asked = 0;
    platform.faults.await = () => {
      asked += 1;
      return asked === 1 ? refuse('unknownAgent', 'not enrolled') : null;
    };
    const trainer = createScriptedTrainer();
    assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
    assert.equal(trainer.probes.length, 2);
    assert.equal(platform.seen.enrolments.length, 4);
  });
});

test('work that was accepted is not done again while the platform remembers, and is where it never does', async () => {
  for (const { forgets, trainings } of [
    { forgets: 3, trainings: 1 },
    { forgets: REPEATS_WAITED_MAX + 1, trainings: 2 },
  ]) {
    const platform = createFakePlatform({ rounds: 1 });
    await withPlatform(platform, async (workDirectory) => {
      platform.faults.forgets = forgets;
      const trainer = createScriptedTrainer();
      const agent = startAgent(platform, trainer, workDirectory, {
        limits: { failedRetry: { firstMs: 1, mostMs: 2, attemptsMax: Number.POSITIVE_INFINITY } },
      });
      assert.equal(await agent.ended, 'completed');
      assert.equal(trainer.trainings.length, trainings);
    });
  }
});

test('a report of an upload has the bytes that are durable, of those of the update', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    const uploads = () => platform.seen.progress.filter(({ stage }) => stage === Stage.UPLOADING);
    platform.faults.commit = () => {
      if (uploads().some(({ fraction }) => fraction === 1)) return null;
      throw new Fault('the platform is not reached');
    };
    assert.equal(await startAgent(platform, createScriptedTrainer(), workDirectory).ended, 'completed');
    const bytes = platform.seen.accepted.get(1)!.byteLength;
    const last = uploads().at(-1)!;
    assert.deepEqual([last.bytesDone, last.bytesTotal], [bytes, bytes]);
    const trained = platform.seen.progress.filter(({ stage }) => stage === Stage.TRAINING);
    assert.ok(trained.every(({ bytesTotal }) => bytesTotal === undefined));
  });
});

test('an enrolment that is refused is tried again until the run is there', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    let asked = 0;
    platform.faults.enrol = () => {
      asked += 1;
      return asked <= 2 ? refuse('unknownRun', 'there is no run r1') : null;
    };
    const agent = startAgent(platform, createScriptedTrainer(), workDirectory);
    assert.equal(await agent.ended, 'completed');
    assert.equal(agent.events.filter((event) => event.kind === 'refused' && event.round === null).length, 2);
  });
});

test('whatever an agent reports names the handing out that it is about', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.handout = 3;
    platform.faults.keepRoundAfterFailure = true;
    platform.faults.commit = () => {
      platform.faults.handout = 4;
      return refuse('notFinite', 'tensor q holds NaN');
    };
    assert.equal(await startAgent(platform, createScriptedTrainer(), workDirectory).ended, 'completed');
    assert.ok(platform.seen.progress.length > 0);
    assert.deepEqual(new Set(platform.seen.progress.map(({ handout }) => handout)), new Set([3]));
    assert.deepEqual(
      platform.seen.failures.map(({ handout }) => handout),
      [3],
    );
    assert.deepEqual(
      platform.seen.declines.map(({ handout }) => handout),
      [4],
    );
  });
});

/** Where the disk is full: before the agent works, while an adapter comes, while it trains, and before its update is sent. */
for (const moment of ['start', 'assigned', 'training', 'trained', 'uploading'] as const) {
  test(`an agent whose disk is full (${moment}) goes on when there is room`, async () => {
    const platform = createFakePlatform({ rounds: 1 });
    await withPlatform(platform, async () => {
      const disk = createMemoryDisk();
      platform.faults.keepRoundAfterFailure = true;
      if (moment === 'start') disk.fill();
      let hasBeenFull = moment === 'start';
      const agent = startAgent(platform, createScriptedTrainer([], disk), '/agent', {
        disk,
        heard: ({ kind }) => {
          if (kind === moment && !hasBeenFull) {
            disk.fill();
            hasBeenFull = true;
          }
          if (kind === 'waiting' || kind === 'retrying') disk.free();
        },
      });
      assert.equal(await agent.ended, 'completed');
      assert.ok(hasBeenFull);
      assert.deepEqual([...platform.seen.accepted.keys()], [1]);
    });
  });
}

test('a disk that is not there to be used ends the agent, with what it got', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async () => {
    const disk = createMemoryDisk();
    (await disk.create('/agent')).close();
    await assert.rejects(startAgent(platform, createScriptedTrainer([], disk), '/agent', { disk }).ended, {
      code: 'EEXIST',
    });
  });
});

test('an update that was accepted leaves a receipt: its digest, and the round that it counts in', async () => {
  const platform = createFakePlatform({ rounds: 2 });
  await withPlatform(platform, async () => {
    const disk = createMemoryDisk();
    platform.faults.carriedBy = 1;
    const agent = startAgent(platform, createScriptedTrainer([], disk), '/agent', { disk });
    assert.equal(await agent.ended, 'completed');
    disk.crash();
    const text = (await disk.read('/agent/r1/site-a/receipts.jsonl'))?.toString('utf8') ?? '';
    assert.deepEqual(
      parseReceipts(text).map(({ round, trainedIn, sha256, samples }) => [round, trainedIn, sha256, samples]),
      [...platform.seen.accepted].map(([round, bytes]) => [
        round + 1,
        round,
        createHash('sha256').update(bytes).digest('hex'),
        SAMPLES,
      ]),
    );
  });
});

test('an update whose receipt could not be kept is asked about again, and has one then', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async () => {
    const disk = createMemoryDisk();
    const agent = startAgent(platform, createScriptedTrainer([], disk), '/agent', {
      disk,
      heard: ({ kind }) => {
        if (kind === 'uploading' && platform.seen.commits === 0) disk.fill();
        if (kind === 'waiting') disk.free();
      },
    });
    assert.equal(await agent.ended, 'completed');
    assert.equal(platform.seen.commits, 2);
    assert.equal(platform.seen.opens.length, 1);
    const text = (await disk.read('/agent/r1/site-a/receipts.jsonl'))?.toString('utf8') ?? '';
    assert.deepEqual(
      parseReceipts(text).map(({ round }) => round),
      [1],
    );
  });
});
