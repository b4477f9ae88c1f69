import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '@flexlora/core';
import { systemClock } from '@flexlora/runtime';
import { withIdleLimit } from './idle-limit.ts';

const forever = new AbortController().signal;
const never = new Promise<never>(() => {});

async function* sending<T>(messages: readonly T[], then: Promise<void>): AsyncGenerator<T> {
  yield* messages;
  await then;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

test('messages pass in their order until the sender ends', async () => {
  const passed = await collect(withIdleLimit(sending([1, 2, 3], Promise.resolve()), systemClock, 60_000, forever));
  assert.deepEqual(passed, [1, 2, 3]);
});

test('a sender that falls silent is cut with a fault that says how to go on', async () => {
  const messages = withIdleLimit(sending([1], never), systemClock, 5, forever);
  assert.equal((await messages.next()).value, 1);
  await assert.rejects(messages.next(), (error) => error instanceof Fault && /GetUpload/.test(error.message));
});

test('the time a receiver takes between two messages is not idle time of the sender', async () => {
  const messages = withIdleLimit(sending([1, 2], never), systemClock, 20, forever);
  await messages.next();
  await systemClock.sleep(60);
  assert.equal((await messages.next()).value, 2);
  await systemClock.sleep(60);
  await assert.rejects(messages.next(), Fault, 'the sender is watched again');
});

test('a caller that gives up is not waited for', async () => {
  const call = new AbortController();
  const messages = withIdleLimit(sending([], never), systemClock, 60_000, call.signal);
  const next = messages.next();
  call.abort(new Error('gone'));
  await assert.rejects(next);
});
