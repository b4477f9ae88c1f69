import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '@flexlora/runtime';
import { createIdleWatch } from './idle-watch.ts';

/** Time that a test moves. */
function createManualClock(): { readonly clock: Clock; advance(ms: number): Promise<void> } {
  let nowMs = 0;
  let sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  return {
    clock: {
      nowMs: () => nowMs,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
          sleepers.push({ atMs: nowMs + ms, wake: resolve });
        }),
    },
    advance: async (ms) => {
      nowMs += ms;
      const due = sleepers.filter(({ atMs }) => atMs <= nowMs);
      sleepers = sleepers.filter(({ atMs }) => atMs > nowMs);
      for (const { wake } of due) wake();
      await nextTurn();
    },
  };
}

test('what does not move for the whole time is noticed once', async () => {
  const { clock, advance } = createManualClock();
  let noticed = 0;
  createIdleWatch(clock, 100, () => {
    noticed += 1;
  });
  await advance(99);
  assert.equal(noticed, 0);
  await advance(1);
  assert.equal(noticed, 1);
  await advance(1_000);
  assert.equal(noticed, 1);
});

test('what moves in time has no other limit', async () => {
  const { clock, advance } = createManualClock();
  let noticed = 0;
  const watch = createIdleWatch(clock, 100, () => {
    noticed += 1;
  });
  for (let step = 0; step < 50; step += 1) {
    await advance(90);
    watch.touch();
  }
  assert.equal(noticed, 0);
  await advance(99);
  assert.equal(noticed, 0);
  await advance(1);
  assert.equal(noticed, 1);
});

test('a watch that was stopped notices nothing', async () => {
  const { clock, advance } = createManualClock();
  let noticed = 0;
  const watch = createIdleWatch(clock, 100, () => {
    noticed += 1;
  });
  watch.stop();
  await advance(1_000);
  assert.equal(noticed, 0);
});
