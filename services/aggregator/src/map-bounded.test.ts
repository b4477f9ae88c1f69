import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapBounded } from './map-bounded.ts';

const FOREVER = new AbortController().signal;

test('answers are in the order of the items, and no more than the bound are under way', async () => {
  let running = 0;
  let most = 0;
  const answers = await mapBounded(
    [5, 1, 4, 2, 3, 0],
    3,
    async (item) => {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < item; turn += 1) await new Promise(setImmediate);
      running -= 1;
      return item * 10;
    },
    FOREVER,
  );
  assert.deepEqual(answers, [50, 10, 40, 20, 30, 0]);
  assert.equal(most, 3);
});

test('the first error aborts what is under way, starts nothing more, and is thrown', async () => {
  const started: number[] = [];
  const operation = async (item: number, signal: AbortSignal): Promise<void> => {
    started.push(item);
    if (item === 1) throw new Error('item 1 failed');
    while (!signal.aborted) await new Promise(setImmediate);
    signal.throwIfAborted();
  };
  await assert.rejects(mapBounded([0, 1, 2, 3], 2, operation, FOREVER), { message: 'item 1 failed' });
  assert.deepEqual(started, [0, 1]);
});

test('an aborted signal ends it with its reason', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await assert.rejects(
    mapBounded([1], 1, async () => assert.fail('it was started'), signal),
    { message: 'enough' },
  );
});

test('no items give no answers', async () => {
  assert.deepEqual(await mapBounded([], 4, async () => 1, FOREVER), []);
});
