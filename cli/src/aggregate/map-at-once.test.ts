import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mapAtOnce } from './map-at-once.ts';

/** Calls that end when the test says so, in any order. */
function createCalls() {
  const underWay = new Map<number, PromiseWithResolvers<string>>();
  const begun: number[] = [];
  const call = (item: number): Promise<string> => {
    const ending = Promise.withResolvers<string>();
    underWay.set(item, ending);
    begun.push(item);
    return ending.promise;
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const end = async (item: number): Promise<void> => {
    underWay.get(item)!.resolve(`value ${item}`);
    underWay.delete(item);
    await turn();
  };
  const fail = async (item: number, error: Error): Promise<void> => {
    underWay.get(item)!.reject(error);
    underWay.delete(item);
    await turn();
  };
  return { begun, call, end, fail };
}

describe('mapAtOnce', () => {
  it('begins the next item when any ends, never more than allowed, and answers in the order of the items', async () => {
    const { begun, call, end } = createCalls();
    const all = mapAtOnce([0, 1, 2, 3], 2, call);
    assert.deepEqual(begun, [0, 1]);
    await end(1);
    assert.deepEqual(begun, [0, 1, 2]);
    await end(2);
    await end(3);
    await end(0);
    assert.deepEqual(await all, ['value 0', 'value 1', 'value 2', 'value 3']);
  });

  it('begins nothing after a failure, and throws it when the others have ended', async () => {
    const { begun, call, end, fail } = createCalls();
    let thrown: unknown = null;
    const all = mapAtOnce([0, 1, 2, 3], 2, call).catch((error: unknown) => {
      thrown = error;
    });
    await fail(1, new Error('the disk is gone'));
    assert.equal(thrown, null);
    await end(0);
    await all;
    assert.match(String(thrown), /the disk is gone/);
    assert.deepEqual(begun, [0, 1]);
  });

  it('answers nothing for no items', async () => {
    assert.deepEqual(await mapAtOnce([], 4, createCalls().call), []);
  });
});
