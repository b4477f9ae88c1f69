import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyFault } from '@flexlora/core';
import { createSlots } from './slots.ts';

test('as many as allowed are taken, one more is a fault that says so, and a slot given back twice is one slot', () => {
  const changes: number[] = [];
  const slots = createSlots('uploads', 2, (change) => changes.push(change));
  const first = slots.take();
  slots.take();
  assert.throws(
    () => slots.take(),
    (error) => error instanceof BusyFault && /2 uploads are under way; allowed: 2/.test(error.message),
  );
  first.release();
  first.release();
  slots.take();
  assert.throws(() => slots.take(), BusyFault);
  assert.deepEqual(changes, [1, 1, -1, 1]);
});
