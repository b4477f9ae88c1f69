import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UpdateFormat } from '@flexlora/contracts/run/v1/run_spec';
import { isRefusal, parseSafetensorsHeader, readUpdateEntries, refuse } from '@flexlora/core';
import { createMemoryDisk } from '../disk/memory-disk.ts';
import { startAgent, withPlatform } from '../testing/agent-under-test.ts';
import { createFakePlatform } from '../testing/fake-platform.ts';
import { createScriptedTrainer } from '../testing/scripted-trainer.ts';

const FEEDBACK = '/agent/r1/site-a/feedback.safetensors';

/** The round that the kept feedback is of. */
async function feedbackRound(disk: ReturnType<typeof createMemoryDisk>): Promise<string | undefined> {
  const bytes = await disk.read(FEEDBACK);
  if (bytes === null) return undefined;
  const header = parseSafetensorsHeader(bytes, bytes.byteLength);
  assert.ok(!isRefusal(header));
  return header.metadata['round'];
}

test('an agent of an int8 run sends int8, tells the error, and keeps what was lost once it is accepted', async () => {
  const platform = createFakePlatform({ rounds: 2, updateFormat: UpdateFormat.INT8 });
  await withPlatform(platform, async () => {
    const disk = createMemoryDisk();
    const agent = startAgent(platform, createScriptedTrainer([], disk), '/agent', { disk });
    assert.equal(await agent.ended, 'completed');
    assert.deepEqual([...platform.seen.accepted.keys()], [1, 2]);
    for (const file of platform.seen.accepted.values()) {
      const header = parseSafetensorsHeader(file, file.byteLength);
      assert.ok(!isRefusal(header));
      const entries = readUpdateEntries(header);
      assert.ok(!isRefusal(entries));
      assert.ok([...entries.values()].every(({ b, a }) => b.dtype === 'I8' && a.dtype === 'I8'));
    }
    const errors = agent.events.flatMap((event) => (event.kind === 'quantised' ? [event.relativeError] : []));
    assert.equal(errors.length, 2);
    assert.ok(errors.every((error) => error > 0 && error < 0.05));
    disk.crash();
    assert.equal(await feedbackRound(disk), '2');
  });
});

test('what a refused update lost is not kept', async () => {
  const platform = createFakePlatform({ rounds: 2, updateFormat: UpdateFormat.INT8 });
  await withPlatform(platform, async () => {
    const disk = createMemoryDisk();
    platform.faults.commit = () =>
      platform.seen.accepted.size === 1 ? refuse('badDigest', 'not what was declared') : null;
    const agent = startAgent(platform, createScriptedTrainer([], disk), '/agent', { disk });
    await agent.told('refused', ({ round }) => round === 2);
    assert.equal(await feedbackRound(disk), '1');
    agent.stop();
    await agent.ended;
  });
});

test('a format that this agent does not know is told, with what to do', async () => {
  const platform = createFakePlatform({ rounds: 1, updateFormat: 99 as UpdateFormat });
  await withPlatform(platform, async (workDirectory) => {
    const agent = startAgent(platform, createScriptedTrainer(), workDirectory);
    await agent.told('refused', ({ message }) =>
      /update_format is (99|-1), which this agent does not know: update it/.test(message),
    );
    agent.stop();
    await agent.ended;
  });
});
