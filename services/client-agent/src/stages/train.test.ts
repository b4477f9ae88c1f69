import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuse } from '@flexlora/core';
import { systemClock } from '@flexlora/runtime';
import { startAgent, withPlatform } from '../testing/agent-under-test.ts';
import { createFakePlatform } from '../testing/fake-platform.ts';
import { createScriptedTrainer } from '../testing/scripted-trainer.ts';
import { TrainerError } from '../trainer.ts';

for (const code of ['out_of_memory', 'diverged', 'bad_data'] as const) {
  test(`a training that fails with ${code} is reported in a sentence, and the agent takes the next assignment`, async () => {
    const platform = createFakePlatform({ rounds: 2 });
    await withPlatform(platform, async (workDirectory) => {
      const trainer = createScriptedTrainer([new TrainerError(code, 'at step 3')]);
      assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
      assert.equal(platform.seen.failures.length, 1);
      assert.match(platform.seen.failures[0]!.reason, /^(training|the trainer) [a-z ]+: at step 3$/);
      assert.deepEqual([...platform.seen.accepted.keys()], [2]);
    });
  });
}

test('a trainer that died is tried once more, and then reported', async () => {
  const platform = createFakePlatform({ rounds: 2 });
  await withPlatform(platform, async (workDirectory) => {
    const died = new TrainerError('exited', 'exit code 9');
    const trainer = createScriptedTrainer([died, 'train', died, new TrainerError('stalled', 'silent')]);
    assert.equal(await startAgent(platform, trainer, workDirectory).ended, 'completed');
    assert.equal(trainer.trainings.length, 4);
    assert.deepEqual([...platform.seen.accepted.keys()], [1]);
    assert.deepEqual(
      platform.seen.failures.map(({ round, reason }) => [round, reason]),
      [[2, 'the trainer fell silent: silent']],
    );
  });
});

test('a restarted agent goes on with its assignment: to stop gives nothing back', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    const stopped = startAgent(platform, createScriptedTrainer(['hang']), workDirectory);
    await stopped.told('training');
    stopped.stop();
    assert.equal(await stopped.ended, 'stopped');
    assert.equal(await startAgent(platform, createScriptedTrainer(), workDirectory).ended, 'completed');
    assert.deepEqual(platform.seen.declines, []);
    assert.deepEqual([...platform.seen.accepted.keys()], [1]);
  });
});

test('an agent that is stopped for good while it trains gives its assignment back', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    const agent = startAgent(platform, createScriptedTrainer(['hang']), workDirectory, { onStop: 'leave' });
    await agent.told('training');
    agent.stop();
    assert.equal(await agent.ended, 'stopped');
    assert.deepEqual(
      platform.seen.declines.map(({ round, reason }) => [round, reason]),
      [[1, 'the agent is stopping']],
    );
  });
});

test('training ends when the server says that the round takes nothing more', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    let answered = 0;
    platform.faults.progress = () => refuse('late', 'round 1 is over');
    platform.faults.await = () => {
      answered += 1;
      if (answered === 1) return null;
      return { answer: { $case: 'runEnded', value: { outcome: 'failed', reason: 'no updates', adapterVersion: 0 } } };
    };
    const agent = startAgent(platform, createScriptedTrainer(['hang']), workDirectory);
    assert.equal(await agent.ended, 'failed');
    assert.equal(platform.seen.opens.length, 0);
    assert.deepEqual(
      agent.events.filter(({ kind }) => kind === 'refused'),
      [{ kind: 'refused', round: 1, reason: 'late', message: 'round 1 is over' }],
    );
  });
});

test('progress is reported no faster than the server asks for, also from one round to the next', async () => {
  const platform = createFakePlatform({ rounds: 2 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.nextReportAfterMs = 600_000;
    const agent = startAgent(platform, createScriptedTrainer(), workDirectory, { clock: systemClock });
    assert.equal(await agent.ended, 'completed');
    assert.equal(platform.seen.accepted.size, 2);
    assert.equal(platform.seen.progress.length, 1);
    assert.ok(agent.events.length > 10);
  });
});
