import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, systemClock } from '@flexlora/runtime';
import { runFleet } from './fleet.ts';

/** Starts are not waited for. */
const clock: Clock = { ...systemClock, sleep: async (_ms, signal) => signal?.throwIfAborted() };
const untilStopped = async (signal: AbortSignal): Promise<never> => {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason));
  if (signal.aborted) reject(signal.reason);
  return promise;
};

test('a fleet ends when all its agents have', async () => {
  const ran: number[] = [];
  const create = (index: number) => ({ run: async () => void ran.push(index) });
  await runFleet({ clock }, { agents: [1, 4, 7], create, signal: new AbortController().signal });
  assert.deepEqual(ran, [1, 4, 7]);
});

test('one that fails stops the others, and its failure is the fleet’s', async () => {
  let stopped = 0;
  const create = (index: number) => ({
    run: async (signal: AbortSignal) => {
      if (index === 2) throw new Error('a bug in agent 2');
      await untilStopped(signal).finally(() => {
        stopped += 1;
      });
    },
  });
  const fleet = runFleet({ clock }, { agents: [0, 1, 2, 3], create, signal: new AbortController().signal });
  await assert.rejects(fleet, /a bug in agent 2/);
  assert.equal(stopped, 3);
});

test('a fleet that is told to stop ends quietly', async () => {
  const stop = new AbortController();
  const fleet = runFleet({ clock }, { agents: [0, 1, 2], create: () => ({ run: untilStopped }), signal: stop.signal });
  stop.abort(new Error('enough'));
  await fleet;
});
