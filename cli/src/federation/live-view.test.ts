import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CohortMember, MemberState, Phase, PublishedRound, Run } from '@flexlora/contracts/run/v1/run_service';
import { linesOf, renderRun } from './live-view.ts';

const member = (state: MemberState, more: Partial<CohortMember> = {}): CohortMember =>
  CohortMember.fromPartial({
    agentId: 'site-de',
    ranks: { attention: 16, head: 16 },
    rankReason: 'rank 16: memory allows 20, the deadline allows 1024 or more, tier 16',
    state,
    ...more,
  });
const run = (cohort: CohortMember[], published: PublishedRound[] = []): Run =>
  Run.fromPartial({
    round: 3,
    phase: Phase.COLLECTING,
    standing: 'collecting',
    cohort,
    published,
    spec: { rounds: 6 },
  });

test('an assignment is told also when the member is seen first further on', () => {
  const lines = linesOf(run([member(MemberState.ACCEPTED, { loss: 2.5 })]), new Map());
  assert.deepEqual(lines, [
    'round 3: site-de trains at rank 16 (rank 16: memory allows 20, the deadline allows 1024 or more, tier 16)',
    'round 3: site-de update accepted, training loss 2.500',
  ]);
});

test('ranks that differ by group are told by group', () => {
  const [line] = linesOf(
    run([member(MemberState.ASSIGNED, { ranks: { attention: 30, 'feed-forward': 200 } })]),
    new Map(),
  );
  assert.match(line ?? '', /trains at rank 30 \(attention\), rank 200 \(feed-forward\)/);
});

test('a failure is told with its reason', () => {
  const lines = linesOf(run([member(MemberState.FAILED, { reason: 'out of memory' })]), new Map());
  assert.equal(lines.at(-1), 'round 3: site-de failed: out of memory');
});

test('no line of the block is wider than the terminal, and old rounds are left out', () => {
  const published = Array.from({ length: 20 }, (_, round) =>
    PublishedRound.fromPartial({ round, updates: 13, rankCounts: { 16: 13 } }),
  );
  const block = renderRun(
    run([member(MemberState.TRAINING, { fraction: 0.5, loss: 2 })], published),
    new Map([[19, 3.5]]),
    60,
  );
  const lines = block.split('\n');
  assert.ok(
    lines.every((line) => line.length <= 60),
    block,
  );
  assert.match(block, /━━━━━━━━╌╌╌╌╌╌╌╌ training/);
  assert.match(block, /adapter {2}19: 13 updates, ranks 13×16 {2}held-out loss 3\.5000/);
  assert.ok(!block.includes('adapter   1:'), block);
});

test('a transfer is told with its size, its rate and the time left', () => {
  const sending = member(MemberState.UPLOADING, {
    fraction: 0.5,
    bytesDone: 105e6,
    bytesTotal: 210e6,
    bytesPerSecond: 12e6,
    secondsLeft: 8.75,
  });
  assert.match(renderRun(run([sending]), new Map(), 200), /━╌{8} uploading 50 % of 210 MB, 12 MB\/s, 9 s left /);
});
