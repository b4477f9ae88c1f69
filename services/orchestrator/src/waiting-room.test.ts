import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '@flexlora/runtime';
import { createWaitingRoom } from './waiting-room.ts';

const LONG_MS = 60_000;

/** A clock that goes on only when it is told to. */
function handClock(): Clock & { advance(ms: number): Promise<void>; readonly sleeps: () => number } {
  let nowMs = 0;
  let sleeps = 0;
  const sleepers = new Set<{ readonly untilMs: number; wake(): void }>();
  return {
    nowMs: () => nowMs,
    sleeps: () => sleeps,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeps += 1;
        const sleeper = { untilMs: nowMs + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
      }),
    advance: async (ms) => {
      nowMs += ms;
      for (const sleeper of [...sleepers])
        if (sleeper.untilMs <= nowMs) {
          sleepers.delete(sleeper);
          sleeper.wake();
        }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('news wakes the seats of its key and no other', async () => {
  const room = createWaitingRoom<string, string>(handClock());
  const [first, second, other] = [room.enter('a'), room.enter('a'), room.enter('b')];
  const waits = [first, second].map((seat) => seat.wait(LONG_MS));
  const left = other.wait(LONG_MS);
  room.tell('a', 'work');
  assert.deepEqual(await Promise.all(waits), ['work', 'work']);
  room.wakeAll();
  assert.equal(await left, null);
});

test('news between two waits is kept, once', async () => {
  const clock = handClock();
  const room = createWaitingRoom<string, string>(clock);
  const held = room.enter('a');
  room.tell('a', 'work');
  assert.equal(await held.wait(LONG_MS), 'work');
  const again = held.wait(1_000);
  await clock.advance(1_000);
  assert.equal(await again, null);
});

test('thousands of waits that end one after the other share a few sleeps', async () => {
  const clock = handClock();
  const room = createWaitingRoom<number, string>(clock);
  const waits = Array.from({ length: 2_000 }, (_, n) => room.enter(n).wait(1_000 + n / 10));
  for (let step = 0; step < 40; step += 1) await clock.advance(50);
  await Promise.all(waits);
  assert.ok(clock.sleeps() <= 10, `${clock.sleeps()} sleeps`);
});

test('a wait that is given up rejects, and an empty room sleeps no more', async () => {
  const clock = handClock();
  const room = createWaitingRoom<string, string>(clock);
  const call = new AbortController();
  const seat = room.enter('a');
  const wait = seat.wait(LONG_MS, call.signal);
  call.abort(new Error('gone'));
  await assert.rejects(wait, /gone/);
  seat.leave();
  assert.ok(room.isEmpty());
  await clock.advance(LONG_MS);
  assert.equal(clock.sleeps(), 1);
});
