import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '../../chaos/plan/seeded-random.ts';
import { createVirtualClock, VIRTUAL_START_MS } from './virtual-clock.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('timers are woken in the order of their times, whatever the order in which they were set', () => {
  const clock = createVirtualClock(createSeededRandom(1));
  const random = createSeededRandom(2);
  const woken: number[] = [];
  for (let n = 0; n < 500; n += 1) {
    const atMs = VIRTUAL_START_MS + Math.floor(random() * 100);
    clock.schedule(atMs, () => woken.push(clock.nowMs()));
  }
  while (clock.nextAtMs() !== null) clock.advance();
  assert.equal(woken.length, 500);
  assert.deepEqual(
    woken,
    [...woken].sort((a, b) => a - b),
  );
});

test('timers of one time come in an order that the seed decides, and the same seed decides the same', () => {
  const orderOf = (seed: number): string => {
    const clock = createVirtualClock(createSeededRandom(seed));
    const woken: number[] = [];
    for (let n = 0; n < 6; n += 1) clock.schedule(clock.nowMs() + 5, () => woken.push(n));
    while (clock.nextAtMs() !== null) clock.advance();
    return woken.join();
  };
  assert.equal(orderOf(7), orderOf(7));
  assert.ok(new Set([1, 2, 3, 4, 5].map(orderOf)).size > 1, 'every seed gives one order');
});

test('a timer that was taken back does not move time', () => {
  const clock = createVirtualClock(Math.random);
  const takeBack = clock.schedule(clock.nowMs() + 5, () => assert.fail('it was taken back'));
  takeBack();
  assert.equal(clock.nextAtMs(), null);
  assert.throws(() => clock.advance(), /no timer/);
  assert.equal(clock.nowMs(), VIRTUAL_START_MS);
});

test('a sleep ends with its time or with its signal, and leaves no timer', async () => {
  const clock = createVirtualClock(Math.random);
  let slept = false;
  void clock.sleep(10).then(() => {
    slept = true;
  });
  await turn();
  assert.equal(slept, false);
  clock.advance();
  await turn();
  assert.equal(slept, true);
  const stop = new AbortController();
  const cut = assert.rejects(clock.sleep(10, stop.signal), /enough/);
  stop.abort(new Error('enough'));
  await cut;
  assert.equal(clock.nextAtMs(), null);
});
