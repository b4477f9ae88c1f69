import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DriverNews } from './drivers.ts';
import { createFleetRecorder } from './fleet-tally.ts';
import { createNewsBoard } from './news-board.ts';

const nothing = createFleetRecorder().news();
const news = (fleet: Partial<DriverNews['fleet']>, eventLoopDelayP99Ms = 0): DriverNews => ({
  fleet: { ...nothing, ...fleet },
  rpcs: [],
  eventLoopDelayP99Ms,
  hasEnded: false,
});
const acknowledgement = (agentId: string) => ({ agentId, sha256: 'x', countsIn: 1 });

test('the fleet has gathered when everybody has enrolled, whichever driver they are with', async () => {
  const board = createNewsBoard(2);
  let gathered = false;
  const gathering = board.untilEnrolled(5).then(() => {
    gathered = true;
  });
  board.hear(0, news({ enrolled: 3 }));
  board.hear(0, news({ enrolled: 3 }));
  await Promise.resolve();
  assert.equal(gathered, false);
  board.hear(1, news({ enrolled: 2 }));
  await gathering;
  assert.equal(board.tally().enrolled, 5);
  await board.untilEnrolled(1);
});

test('counts are those told last, acknowledgements all that were ever told', () => {
  const board = createNewsBoard(2);
  board.hear(0, news({ failed: 1, acknowledgements: [acknowledgement('a')] }, 4));
  board.hear(1, news({ failed: 5 }, 20));
  board.hear(0, news({ failed: 2, acknowledgements: [acknowledgement('b')] }, 6));
  assert.equal(board.tally().failed, 7);
  assert.deepEqual(board.tally().acknowledgements, [acknowledgement('a'), acknowledgement('b')]);
  assert.equal(board.eventLoopDelayP99Ms(), 20);
});
