import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notAhead } from './event-text.ts';
import { CLOCK_AHEAD_MS_MAX } from './limits.ts';

test('an event of a door whose clock is ahead has come just now; others keep their time', () => {
  const timeOf = (atMs: number): number => notAhead({ kind: 'ticked', atMs }, 10_000).atMs;
  const bound = 10_000 + CLOCK_AHEAD_MS_MAX;
  assert.deepEqual([9_000, bound, bound + 1, 70_000].map(timeOf), [9_000, bound, 10_000, 10_000]);
});
