import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CohortMember, MemberState } from '@flexlora/contracts/run/v1/run_service';
import { activityText, shareText } from './share-text.ts';

const textOf = (told: Partial<CohortMember>): string =>
  shareText(CohortMember.fromPartial({ fraction: 0.43, ...told }));

test('a share is told with the size, the rate and the time left, as far as they are known', () => {
  const told = { bytesDone: 90_300_000, bytesTotal: 210_000_000, bytesPerSecond: 12_000_000, secondsLeft: 9.975 };
  assert.equal(textOf(told), '43 % of 210 MB, 12 MB/s, 10 s left');
  assert.equal(textOf({ bytesTotal: 210_000_000 }), '43 % of 210 MB');
  assert.equal(textOf({ bytesTotal: 210_000_000, bytesPerSecond: 0 }), '43 % of 210 MB, 0 B/s');
  assert.equal(textOf({}), '43 %');
});

test('bytes and times are told in units that people read at a glance', () => {
  const sizes = [0, 999, 1_000, 9_940, 12_345, 1_340_000_000, 25e12].map((bytesTotal) =>
    textOf({ bytesTotal }).replace('43 % of ', ''),
  );
  assert.deepEqual(sizes, ['0 B', '999 B', '1.0 kB', '9.9 kB', '12 kB', '1.3 GB', '25 TB']);
  const times = [0, 119, 120, 7_199, 7_200, 172_800].map((secondsLeft) =>
    textOf({ bytesTotal: 1, secondsLeft }).replace('43 % of 1 B, ', ''),
  );
  assert.deepEqual(times, ['0 s left', '119 s left', '2 min left', '120 min left', '2 h left', '2 days left']);
});

test('what a member does is told with how far it is, while that is under way', () => {
  const at = (state: MemberState) => activityText(CohortMember.fromPartial({ state, fraction: 0.5 }));
  assert.deepEqual([MemberState.ASSIGNED, MemberState.DOWNLOADING, MemberState.TRAINING, MemberState.FAILED].map(at), [
    'assigned',
    'downloading 50 %',
    'training 50 %',
    'failed',
  ]);
});
