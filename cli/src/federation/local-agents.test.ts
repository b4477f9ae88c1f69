import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Trainer } from '@flexlora/client-agent';
import { type Clock, silentLogger } from '@flexlora/runtime';
import { runLocalAgents } from './local-agents.ts';
import { PARTICIPANTS } from './participants.ts';

/** A clock whose waits only their signals end. */
function createStandingClock() {
  const waited = Promise.withResolvers<void>();
  let waits = 0;
  const clock: Clock = {
    nowMs: () => 0,
    sleep: (_ms, signal) => {
      waits += 1;
      waited.resolve();
      return new Promise((_, reject) =>
        signal?.addEventListener('abort', () => {
          waits -= 1;
          reject(signal.reason);
        }),
      );
    },
  };
  return { clock, waited: waited.promise, waits: () => waits };
}

test('an agent that fails stops the others, and is told when none runs any more', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flexlora-agents-'));
  const { clock, waited, waits } = createStandingClock();
  let asked = 0;
  const trainer: Trainer = {
    hello: async () => {
      asked += 1;
      if (asked > 1) return { trainer: 'test', version: '1', modules: [], baseDigest: 'a'.repeat(64) };
      // The other agent has come as far as to wait for a platform that is not there.
      await waited;
      throw new Error('a bug of the trainer');
    },
    probe: async ({ ranks }) => ({ measurements: ranks.map((rank) => ({ rank, memoryBytes: 1, stepSeconds: 1 })) }),
    train: () => assert.fail('nobody trains here'),
    evaluate: () => assert.fail('nobody evaluates here'),
    close: async () => {},
  };
  try {
    const agents = runLocalAgents(
      { trainer, clock, logger: silentLogger, random: () => 0.5 },
      {
        runId: 'run-1',
        orchestrator: { target: '127.0.0.1:1', tls: null },
        participants: PARTICIPANTS.slice(0, 2),
        directory,
        signal: new AbortController().signal,
      },
    );
    await assert.rejects(agents, /a bug of the trainer/);
    assert.equal(waits(), 0, 'an agent still waits');
  } finally {
    await rm(directory, { recursive: true });
  }
});
