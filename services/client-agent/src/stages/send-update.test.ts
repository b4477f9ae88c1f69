import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault, refuse } from '@flexlora/core';
import type { AgentEvent } from '../agent-event.ts';
import { startAgent, updatesOnDisk, withPlatform } from '../testing/agent-under-test.ts';
import { createFakePlatform, type FakePlatform, PART_BYTES } from '../testing/fake-platform.ts';
import { createScriptedTrainer } from '../testing/scripted-trainer.ts';

const acceptedBytes = ({ seen }: FakePlatform): number =>
  [...seen.accepted.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);

test('a cut upload goes on from the durable offset and sends less than one part again', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.cutUploadAt = 2 * PART_BYTES + 400;
    const trainer = createScriptedTrainer();
    assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
    const bytes = platform.seen.accepted.get(1)!.byteLength;
    assert.deepEqual(platform.seen.uploadStarts, [0, 2 * PART_BYTES]);
    assert.equal(platform.seen.opens.length, 1);
    const sentAgain = platform.seen.uploadBytes - bytes;
    assert.ok(sentAgain > 0 && sentAgain < PART_BYTES, `${sentAgain} bytes were sent again`);
    assert.equal(trainer.trainings.length, 1);
  });
});

test('after an upload has moved on, a break is waited out as the first one was', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    const waits: number[] = [];
    // Two breaks before anything is durable; the third comes in the second part.
    const cuts = [1, 1, PART_BYTES + 400];
    const cutNext = (): void => {
      const bytes = cuts.shift();
      if (bytes !== undefined) platform.faults.cutUploadAt = platform.seen.uploadBytes + bytes;
    };
    cutNext();
    const heard = (event: AgentEvent): void => {
      if (event.kind !== 'retrying' || event.what !== 'upload') return;
      waits.push(event.waitMs);
      cutNext();
    };
    assert.equal(await startAgent(platform, createScriptedTrainer(), workDirectory, { heard }).ended, 'completed');
    assert.deepEqual(platform.seen.uploadStarts, [0, 0, 0, PART_BYTES]);
    assert.equal(waits[2], waits[0], `it waited ${waits} ms`);
  });
});

test('an agent that is restarted between training and commit goes on with the upload and does not train again', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.commit = () => {
      throw new Fault('the platform is not reached');
    };
    const first = createScriptedTrainer();
    const stopped = startAgent(platform, first, workDirectory);
    await stopped.told('retrying', ({ what }) => what === 'commit');
    stopped.stop();
    assert.equal(await stopped.ended, 'stopped');
    assert.deepEqual(await updatesOnDisk(workDirectory), ['round-00000001']);
    assert.equal(platform.seen.declines.length, 0);

    delete platform.faults.commit;
    const second = createScriptedTrainer();
    const restarted = startAgent(platform, second, workDirectory);
    assert.equal(await restarted.ended, 'completed');
    assert.equal(first.trainings.length, 1);
    assert.equal(second.trainings.length, 0);
    assert.equal(platform.seen.accepted.size, 1);
    // The upload was complete: not a byte of it is sent again.
    assert.equal(platform.seen.uploadBytes, platform.seen.accepted.get(1)!.byteLength);
    assert.deepEqual(await updatesOnDisk(workDirectory), []);
  });
});

test('an agent that is stopped in the middle of an upload goes on from the durable offset after its restart', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.cutUploadAt = PART_BYTES + 400;
    const stopped = startAgent(platform, createScriptedTrainer(), workDirectory);
    await stopped.told('retrying', ({ what }) => what === 'upload');
    stopped.stop();
    assert.equal(await stopped.ended, 'stopped');

    const second = createScriptedTrainer();
    assert.equal(await startAgent(platform, second, workDirectory).ended, 'completed');
    assert.equal(second.trainings.length, 0);
    assert.equal(platform.seen.opens.length, 1);
    assert.equal(platform.seen.uploadStarts.at(-1), PART_BYTES);
  });
});

test('an update that comes too late is dropped with its upload, and the agent goes on with the next round', async () => {
  const platform = createFakePlatform({ rounds: 2 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.commit = () => {
      delete platform.faults.commit;
      return refuse('late', 'round 1 no longer takes updates');
    };
    const agent = startAgent(platform, createScriptedTrainer(), workDirectory);
    assert.equal(await agent.ended, 'completed');
    assert.deepEqual(
      agent.events.filter(({ kind }) => kind === 'refused'),
      [{ kind: 'refused', round: 1, reason: 'late', message: 'round 1 no longer takes updates' }],
    );
    assert.deepEqual([...platform.seen.accepted.keys()], [2]);
    assert.deepEqual(platform.seen.aborts, [1]);
    assert.deepEqual(await updatesOnDisk(workDirectory), []);
  });
});

for (const reason of ['late', 'notAssigned', 'wrongPhase', 'unknownRound'] as const) {
  test(`an update that was refused as ${reason} is sent, not trained again, when its round is opened again`, async () => {
    const platform = createFakePlatform({ rounds: 2 });
    await withPlatform(platform, async (workDirectory) => {
      platform.faults.reopenRoundAfterLate = true;
      platform.faults.commit = () => {
        delete platform.faults.commit;
        return refuse(reason, 'round 1 takes no updates now');
      };
      const trainer = createScriptedTrainer();
      assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
      assert.deepEqual([...platform.seen.accepted.keys()], [1, 2]);
      // The upload of before is still there: not a byte is sent again.
      assert.equal(platform.seen.opens.length, 2);
      assert.equal(platform.seen.uploadBytes, acceptedBytes(platform));
      assert.deepEqual(platform.seen.declines, []);
      assert.deepEqual(platform.seen.failures, []);
      assert.deepEqual(
        trainer.trainings.map(({ seed }) => seed),
        [1, 2],
      );
      assert.deepEqual(await updatesOnDisk(workDirectory), []);
    });
  });
}

test('a round that is opened again at other ranks is trained again', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.reopenRoundAfterLate = true;
    platform.faults.commit = () => {
      delete platform.faults.commit;
      platform.faults.ranks = { attention: 2, 'feed-forward': 2 };
      return refuse('late', 'round 1 takes no updates now');
    };
    const trainer = createScriptedTrainer();
    assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
    assert.equal(platform.seen.accepted.size, 1);
    assert.deepEqual(
      trainer.trainings.map(({ ranks }) => ranks['model.q_proj']),
      [4, 2],
    );
  });
});

test('an update that was refused as late outlasts a restart, and is taken when its round is open again', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.reopenRoundAfterLate = true;
    platform.faults.commit = () => {
      platform.faults.await = () => ({
        answer: { $case: 'comeBack', value: { afterMs: 1_000, reason: 'recruiting' } },
      });
      return refuse('late', 'round 1 takes no updates now');
    };
    const stopped = startAgent(platform, createScriptedTrainer(), workDirectory);
    await stopped.told('waiting');
    stopped.stop();
    assert.equal(await stopped.ended, 'stopped');
    assert.deepEqual(await updatesOnDisk(workDirectory), ['round-00000001']);

    delete platform.faults.commit;
    delete platform.faults.await;
    const second = createScriptedTrainer();
    assert.equal(await startAgent(platform, second, workDirectory).ended, 'completed');
    assert.equal(second.trainings.length, 0);
    assert.equal(platform.seen.accepted.size, 1);
  });
});

test('an upload that the server forgot is opened again', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    const forget = (): ReturnType<typeof refuse> => refuse('unknownUpload', 'there is no such upload');
    let forgotten = 0;
    platform.faults.getUpload = () => {
      forgotten += 1;
      if (forgotten > 1) return null;
      platform.faults.commit = () => {
        delete platform.faults.commit;
        return forget();
      };
      return forget();
    };
    const trainer = createScriptedTrainer();
    assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
    assert.equal(platform.seen.opens.length, 2);
    assert.equal(platform.seen.accepted.size, 1);
    assert.equal(trainer.trainings.length, 1);
  });
});

test('an update outlasts a platform that lost its state and recovers it', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    const answers = [refuse('unknownRun', 'there is no run r1'), refuse('unknownAgent', 'the agent is not enrolled')];
    platform.faults.commit = () => answers.shift() ?? null;
    const trainer = createScriptedTrainer();
    assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
    assert.equal(platform.seen.accepted.size, 1);
    assert.equal(trainer.trainings.length, 1);
    // The upload of before the loss is gone on with.
    assert.equal(platform.seen.opens.length, 1);
    assert.equal(platform.seen.uploadBytes, acceptedBytes(platform));
    // Two before the first work, one because the platform forgot, one because training told the samples.
    assert.equal(platform.seen.enrolments.length, 4);
    assert.deepEqual(platform.seen.failures, []);
  });
});

test('a restarted agent that the platform forgot enrols, and then sends what waits', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.commit = () => {
      throw new Fault('the platform is not reached');
    };
    const stopped = startAgent(platform, createScriptedTrainer(), workDirectory);
    await stopped.told('retrying', ({ what }) => what === 'commit');
    stopped.stop();
    await stopped.ended;

    const known = platform.seen.enrolments.length;
    platform.faults.commit = () =>
      platform.seen.enrolments.length === known ? refuse('unknownAgent', 'the agent is not enrolled') : null;
    const second = createScriptedTrainer();
    assert.equal(await startAgent(platform, second, workDirectory).ended, 'completed');
    assert.equal(second.trainings.length, 0);
    assert.equal(platform.seen.accepted.size, 1);
  });
});

test('an update that is refused for what it holds is reported, and the same round is not trained again', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.commit = () => refuse('notFinite', 'tensor q holds NaN');
    platform.faults.keepRoundAfterFailure = true;
    const trainer = createScriptedTrainer();
    assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
    assert.equal(trainer.trainings.length, 1);
    assert.deepEqual(
      platform.seen.failures.map(({ reason }) => reason),
      ['the update was refused: tensor q holds NaN'],
    );
    assert.match(platform.seen.declines[0]!.reason, /round 1 was refused, and would be the same again/);
  });
});
