import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexesOf } from './virtual-fleet.ts';

test('every agent is in one part, and no part has more than one agent more than another', () => {
  for (const [agents, parts] of [
    [10, 1],
    [10, 3],
    [3, 3],
  ] as const) {
    const shares = Array.from({ length: parts }, (_, part) => indexesOf(agents, part, parts));
    assert.deepEqual(
      shares.flat().sort((a, b) => a - b),
      Array.from({ length: agents }, (_, index) => index),
    );
    const sizes = shares.map(({ length }) => length);
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${sizes}`);
  }
});
