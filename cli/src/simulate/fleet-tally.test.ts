import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFleetRecorder } from './fleet-tally.ts';

const accepted = (sha256: string, round: number) =>
  ({ kind: 'accepted', round, countsIn: round, sha256, samples: 1, loss: null }) as const;

test('an agent is counted where it is, and nowhere else', () => {
  const { tally, agent } = createFleetRecorder();
  const [one, other] = [agent('a'), agent('b')];
  one.hear({ kind: 'enrolled', runId: 'r' });
  one.hear({ kind: 'downloading', round: 1, bytes: 0, total: 1 });
  other.leave('vanished');
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
  const { tally, agent } = createFleetRecorder();
  const recorder = agent('a');
  for (const event of [accepted('x', 1), accepted('x', 1), accepted('y', 2)]) recorder.hear(event);
  assert.deepEqual(tally.acknowledgements, [
    { agentId: 'a', sha256: 'x', countsIn: 1 },
    { agentId: 'a', sha256: 'y', countsIn: 2 },
  ]);
});

test('the fleet has gathered when everybody has enrolled, however often each did', async () => {
  const { tally, agent, untilEnrolled } = createFleetRecorder();
  const [one, other] = [agent('a'), agent('b')];
  let gathered = false;
  const gathering = untilEnrolled(2).then(() => {
    gathered = true;
  });
  one.hear({ kind: 'enrolled', runId: 'r' });
  one.hear({ kind: 'enrolled', runId: 'r' });
  await Promise.resolve();
  assert.equal(gathered, false);
  other.hear({ kind: 'enrolled', runId: 'r' });
  await gathering;
  assert.equal(tally.enrolled, 2);
  await untilEnrolled(1);
});

test('what was tried again and what was refused is counted by what it was', () => {
  const { tally, agent } = createFleetRecorder();
  const recorder = agent('a');
  const retrying = { kind: 'retrying', message: 'away', waitMs: 1 } as const;
  for (const what of ['enrol', 'enrol', 'upload']) recorder.hear({ ...retrying, what });
  recorder.hear({ kind: 'refused', round: 1, reason: 'late', message: 'too late' });
  assert.deepEqual(tally.retried, { enrol: 2, upload: 1 });
  assert.deepEqual(tally.refused, { late: 1 });
});
