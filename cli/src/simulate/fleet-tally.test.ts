import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFleetRecorder, tallyOf } from './fleet-tally.ts';

const accepted = (sha256: string, round: number) =>
  ({ kind: 'accepted', round, countsIn: round, sha256, samples: 1, loss: null }) as const;

test('an agent is counted where it is, and nowhere else', () => {
  const { news, agent } = createFleetRecorder();
  const [one, other] = [agent('a'), agent('b')];
  one.hear({ kind: 'enrolled', runId: 'r' });
  one.hear({ kind: 'downloading', round: 1, bytes: 0, total: 1, bytesPerSecond: null, secondsLeft: null });
  other.leave('vanished');
  const tally = news();
  assert.deepEqual(tally.activities, {
    starting: 0,
    waiting: 0,
    downloading: 1,
    training: 0,
    uploading: 0,
    away: 1,
    ended: 0,
  });
  assert.equal(tally.vanished, 1);
});

test('an acknowledgement that is heard again, by a device that lost its memory of it, is one', () => {
  const { news, agent } = createFleetRecorder();
  const recorder = agent('a');
  for (const event of [accepted('x', 1), accepted('x', 1), accepted('y', 2)]) recorder.hear(event);
  assert.deepEqual(news().acknowledgements, [
    { agentId: 'a', sha256: 'x', countsIn: 1 },
    { agentId: 'a', sha256: 'y', countsIn: 2 },
  ]);
  recorder.hear(accepted('z', 3));
  assert.deepEqual(news().acknowledgements, [{ agentId: 'a', sha256: 'z', countsIn: 3 }], 'told since the last news');
});

test('what was tried again and what was refused is counted by what it was', () => {
  const { news, agent } = createFleetRecorder();
  const recorder = agent('a');
  const retrying = { kind: 'retrying', message: 'away', waitMs: 1 } as const;
  for (const what of ['enrol', 'enrol', 'upload']) recorder.hear({ ...retrying, what });
  recorder.hear({ kind: 'refused', round: 1, reason: 'late', message: 'too late' });
  const tally = news();
  assert.deepEqual(tally.retried, { enrol: 2, upload: 1 });
  assert.deepEqual(tally.refused, { late: 1 });
});

test('the parts of a fleet are counted together', () => {
  const [one, other] = [createFleetRecorder(), createFleetRecorder()];
  const [a, b] = [one.agent('a'), other.agent('b')];
  for (const recorder of [a, b]) recorder.hear({ kind: 'enrolled', runId: 'r' });
  a.hear(accepted('x', 1));
  b.hear({ kind: 'retrying', what: 'upload', message: 'away', waitMs: 1 });
  b.leave('killed');
  const tally = tallyOf(structuredClone([one.news(), other.news()]));
  assert.equal(tally.enrolled, 2);
  assert.deepEqual([tally.activities.waiting, tally.activities.away, tally.killed], [1, 1, 1]);
  assert.deepEqual(tally.acknowledgements, [{ agentId: 'a', sha256: 'x', countsIn: 1 }]);
  assert.deepEqual(tally.retried, { upload: 1 });
});
