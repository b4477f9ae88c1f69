import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RATE_WINDOW_MS } from './limits.ts';
import { createTransferRate } from './transfer-rate.ts';

/** A transfer whose time the test owns. */
function transfer() {
  let nowMs = 1_000_000;
  let bytes = 0;
  const rate = createTransferRate({ nowMs: () => nowMs });
  rate.note(0);
  return {
    rate: () => rate.bytesPerSecond(),
    wait: (ms: number) => {
      nowMs += ms;
    },
    noteAgain: (at = bytes) => {
      bytes = at;
      rate.note(at);
    },
    /** So many parts of so many bytes, each taking so long. */
    move: (parts: number, partBytes: number, partMs: number) => {
      for (let i = 0; i < parts; i += 1) {
        nowMs += partMs;
        bytes += partBytes;
        rate.note(bytes);
      }
    },
  };
}

test('an even transfer has its rate, whatever its parts are, once a second has been seen', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30_000 }), fc.integer({ min: 1, max: 1 << 23 }), (partMs, partBytes) => {
      const { rate, move } = transfer();
      assert.equal(rate(), null);
      move(Math.ceil(1_000 / partMs), partBytes, partMs);
      for (let i = 0; i < 20; i += 1) {
        assert.equal(rate(), Math.round((partBytes * 1_000) / partMs));
        move(1 + Math.floor(1_000 / partMs), partBytes, partMs);
      }
    }),
  );
});

test('the rate is that of the last seconds: a transfer that slowed down is as fast as it is now', () => {
  const { rate, move } = transfer();
  move(600, 1_000_000, 100);
  assert.equal(rate(), 10_000_000);
  move(RATE_WINDOW_MS / 2_000, 100_000, 1_000);
  assert.ok(rate()! < 10_000_000 && rate()! > 100_000, 'half of the window is from before');
  move(RATE_WINDOW_MS / 2_000 + 1, 100_000, 1_000);
  assert.equal(rate(), 100_000);
});

test('the first moment is too short to tell', () => {
  const { rate, move } = transfer();
  move(9, 1_000, 100);
  assert.equal(rate(), null);
  move(1, 1_000, 100);
  assert.equal(rate(), 10_000);
});

test('a line that falls silent has no rate but 0; a slow one is silent between its parts', () => {
  const fast = transfer();
  fast.move(50, 1_000, 100);
  fast.wait(RATE_WINDOW_MS);
  assert.equal(fast.rate(), 10_000);
  fast.wait(1);
  assert.equal(fast.rate(), 0);
  const slow = transfer();
  slow.move(3, 5_000_000, 25_000);
  slow.wait(49_000);
  assert.equal(slow.rate(), 200_000);
  slow.wait(2_000);
  assert.equal(slow.rate(), 0);
});

test('an outage does not count: what goes on after a silence, or from an earlier byte, is measured anew', () => {
  const { rate, move, wait, noteAgain } = transfer();
  wait(60_000);
  noteAgain();
  move(20, 1_000, 100);
  assert.equal(rate(), 10_000);
  wait(300_000);
  noteAgain();
  move(1, 1_000, 100);
  assert.equal(rate(), null);
  move(10, 2_000, 100);
  assert.equal(rate(), 20_000);
  noteAgain(500);
  assert.equal(rate(), null);
  move(10, 3_000, 100);
  assert.equal(rate(), 30_000);
});

test('a clock that is set back begins the measure anew', () => {
  const { rate, move, wait } = transfer();
  move(20, 1_000, 100);
  wait(-3_600_000);
  move(1, 1_000, 100);
  assert.equal(rate(), null);
  move(10, 1_000, 100);
  assert.equal(rate(), 10_000);
});
