import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Clock } from './clock.ts';
import { backoffMs, type RetryPolicy, retry } from './retry.ts';

const POLICY: RetryPolicy = { firstMs: 100, mostMs: 1_000, attemptsMax: 4 };
const LARGEST_JITTER = (): number => 0.999_999;

/** A clock whose sleeps end at once and are written down. */
function createRecordingClock(onSleep: () => void = () => {}): { readonly clock: Clock; readonly sleptMs: number[] } {
  const sleptMs: number[] = [];
  return {
    sleptMs,
    clock: {
      nowMs: () => sleptMs.reduce((sum, ms) => sum + ms, 0),
      sleep: async (ms, signal) => {
        onSleep();
        signal?.throwIfAborted();
        sleptMs.push(ms);
      },
    },
  };
}

/** Fails `failures` times, each with its number, then gives the number of the try. */
const failing = (failures: number) => async (attempt: number) => {
  if (attempt <= failures) throw new Error(`fault ${attempt}`);
  return attempt;
};

test('a wait lies between half of its doubled base and the whole, and never above the largest', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.999_999, noNaN: true }),
      (attempt, draw) => {
        const whole = Math.min(1_000, 100 * 2 ** (attempt - 1));
        const wait = backoffMs(POLICY, attempt, () => draw);
        assert.ok(wait >= whole / 2 && wait <= whole, `attempt ${attempt} waits ${wait}, base ${whole}`);
      },
    ),
  );
});

test('an operation is tried again after growing waits until it succeeds', async () => {
  const { clock, sleptMs } = createRecordingClock();
  assert.equal(await retry(failing(3), POLICY, { clock, random: () => 0 }), 4);
  assert.deepEqual(sleptMs, [50, 100, 200]);
});

test('after a try that moved on, the waits grow from the first again', async () => {
  const { clock, sleptMs } = createRecordingClock();
  const moving = async (attempt: number, movedOn: () => void) => {
    if (attempt === 4) movedOn();
    return failing(6)(attempt);
  };
  await retry(moving, { ...POLICY, attemptsMax: 7 }, { clock, random: () => 0 });
  assert.deepEqual(sleptMs, [50, 100, 200, 50, 100, 200]);
});

test('the last error is thrown when the tries are used up', async () => {
  const { clock, sleptMs } = createRecordingClock();
  await assert.rejects(retry(failing(9), POLICY, { clock, random: () => 0 }), { message: 'fault 4' });
  assert.equal(sleptMs.length, 3);
});

test('an error that is not worth retrying is thrown at once', async () => {
  const { clock, sleptMs } = createRecordingClock();
  const attempt = retry(failing(9), POLICY, { clock, random: () => 0 }, { isWorthRetrying: () => false });
  await assert.rejects(attempt, { message: 'fault 1' });
  assert.deepEqual(sleptMs, []);
});

test('of the wait that the other side asked for and the own one, the longer holds', async () => {
  const { clock, sleptMs } = createRecordingClock();
  const asked = [5_000, 1, null];
  await retry(failing(3), POLICY, { clock, random: LARGEST_JITTER }, { askedWaitMs: () => asked.shift() ?? null });
  assert.equal(Math.round(sleptMs[0]!), 7_500);
  assert.deepEqual(sleptMs.slice(1).map(Math.round), [200, 400]);
});

test('waits that a server asked for are spread: callers that failed together do not come back together', async () => {
  const waits: number[] = [];
  for (const draw of [0, 0.5, LARGEST_JITTER()]) {
    const { clock, sleptMs } = createRecordingClock();
    await retry(failing(1), POLICY, { clock, random: () => draw }, { askedWaitMs: () => 1_000 });
    waits.push(Math.round(sleptMs[0]!));
  }
  assert.deepEqual(waits, [1_000, 1_250, 1_500]);
});

test('every retry is told with its error, its number and its wait', async () => {
  const { clock } = createRecordingClock();
  const told: unknown[] = [];
  await retry(
    failing(2),
    POLICY,
    { clock, random: () => 0 },
    {
      onRetry: (error, attempt, waitMs) => told.push([(error as Error).message, attempt, waitMs]),
    },
  );
  assert.deepEqual(told, [
    ['fault 1', 1, 50],
    ['fault 2', 2, 100],
  ]);
});

test('an abort during a wait ends the retries with its reason', async () => {
  const stop = new AbortController();
  const { clock } = createRecordingClock(() => stop.abort(new Error('stopping')));
  let tries = 0;
  const operation = async (): Promise<never> => {
    tries += 1;
    throw new Error('fault');
  };
  await assert.rejects(retry(operation, POLICY, { clock, random: () => 0 }, { signal: stop.signal }), {
    message: 'stopping',
  });
  assert.equal(tries, 1);
});

test('nothing is tried when the signal is aborted before', async () => {
  const { clock } = createRecordingClock();
  const operation = async (): Promise<never> => assert.fail('it was tried');
  const signal = AbortSignal.abort(new Error('stopping'));
  await assert.rejects(retry(operation, POLICY, { clock, random: () => 0 }, { signal }), { message: 'stopping' });
});
