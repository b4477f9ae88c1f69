import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readAhead } from './read-ahead.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Reads that take a few turns of the event loop, and a log of what happened when. */
function createReads() {
  const log: string[] = [];
  const read = async (item: number): Promise<string> => {
    log.push(`begin ${item}`);
    for (let left = 3; left > 0; left -= 1) await turn();
    log.push(`end ${item}`);
    return `value ${item}`;
  };
  return { log, read };
}

describe('readAhead', () => {
  it('reads one ahead of what is used, in order, and never two', async () => {
    const { log, read } = createReads();
    for await (const value of readAhead([0, 1, 2], read)) {
      log.push(`use ${value}`);
      for (let left = 9; left > 0; left -= 1) await turn();
      log.push(`used ${value}`);
    }
    const [ahead1, ahead2] = [1, 2].map((k) => [`begin ${k}`, `use value ${k - 1}`, `end ${k}`, `used value ${k - 1}`]);
    assert.deepEqual(log, ['begin 0', 'end 0', ...ahead1!, ...ahead2!, 'use value 2', 'used value 2']);
  });

  it('gives nothing for no items', async () => {
    const { log, read } = createReads();
    for await (const _ of readAhead([], read)) log.push('used');
    assert.deepEqual(log, []);
  });

  it('tells a failed read when its value is due, after those before it', async () => {
    const used: number[] = [];
    const read = async (item: number): Promise<number> => {
      if (item === 1) throw new Error('read 1 failed');
      return item;
    };
    await assert.rejects(
      async () => {
        for await (const value of readAhead([0, 1, 2], read)) {
          await turn();
          used.push(value);
        }
      },
      { message: 'read 1 failed' },
    );
    assert.deepEqual(used, [0]);
  });

  it('aborts what is being read when the caller stops, and waits until it has ended', async () => {
    const ends: string[] = [];
    const read = async (item: number, signal: AbortSignal): Promise<number> => {
      if (item === 0) return item;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await turn();
      ends.push(`read ${item} ended`);
      throw signal.reason;
    };
    for await (const value of readAhead([0, 1, 2], read)) {
      assert.equal(value, 0);
      break;
    }
    assert.deepEqual(ends, ['read 1 ended']);
  });

  it('passes the abort of the caller on to the read', async () => {
    const abort = new AbortController();
    const read = (_: number, signal: AbortSignal): Promise<number> =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    const first = readAhead([0], read, abort.signal).next();
    abort.abort(new Error('enough'));
    await assert.rejects(first, { message: 'enough' });
  });
});
