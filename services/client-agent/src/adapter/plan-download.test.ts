import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdapterLayout } from '@flexlora/contracts/transfer/v1/transfer_service';
import { isRefusal, type RefusalReason } from '@flexlora/core';
import { fakeAdapter, RANKS, SPEC } from '../testing/fake-adapter.ts';
import { assignmentOf, runPlanOf } from '../translate.ts';
import { planDownload } from './plan-download.ts';

const plan = runPlanOf(SPEC);
assert.ok(!isRefusal(plan));
const assignment = assignmentOf(
  {
    round: 1,
    adapterVersion: 0,
    ranks: { ...RANKS },
    rankReason: '',
    seed: 0,
    deadlineAtMs: 0,
    deadlineInMs: 0,
    handout: 0,
  },
  plan,
);
assert.ok(!isRefusal(assignment));

/** The layout as the platform tells it, changed. */
function layoutWith(change: (layout: AdapterLayout) => unknown): AdapterLayout {
  const layout = AdapterLayout.decode(AdapterLayout.encode(fakeAdapter(0, RANKS).layout).finish());
  change(layout);
  return layout;
}

test('a layout of the run and the assignment is planned without gaps', () => {
  const { layout, bytes } = fakeAdapter(0, RANKS);
  const planned = planDownload(layout, plan, assignment.moduleRanks);
  assert.ok(!isRefusal(planned));
  assert.equal(planned.bytes, bytes.byteLength);
  assert.equal(planned.components.length, 4 + 2);
  let at = 0;
  for (const { begin, end } of planned.components) {
    assert.equal(begin, at);
    at = end;
  }
  assert.equal(at, bytes.byteLength);
  assert.deepEqual(
    planned.objects.flatMap(({ modules }) => modules.map(({ name, wanted }) => [name, wanted])),
    [
      ['model.q_proj', 4],
      ['model.v_proj', 3],
      ['model.up_proj', 2],
    ],
  );
});

const REFUSED: readonly [string, (layout: AdapterLayout) => unknown, RefusalReason, RegExp][] = [
  ['a missing module', (layout) => layout.objects.pop(), 'badModule', /no model\.up_proj/],
  [
    'a module that is not of the run',
    (layout) => Object.assign(layout.objects[0]!.modules[0]!, { name: 'x' }),
    'badModule',
    /has x;/,
  ],
  [
    'a module twice',
    (layout) => Object.assign(layout.objects[0]!.modules[1]!, { name: 'model.q_proj' }),
    'badModule',
    /has model\.q_proj; allowed: each module of the run once/,
  ],
  [
    'another shape',
    (layout) => Object.assign(layout.objects[0]!.modules[0]!, { inFeatures: 33 }),
    'badModule',
    /48 × 33; the run has 48 × 32/,
  ],
  [
    'too few components',
    (layout) => Object.assign(layout.objects[1]!, { components: 1 }),
    'rankOutOfRange',
    /the assignment's rank is 2/,
  ],
  ['a digest too few', (layout) => layout.objects[0]!.componentSha256.pop(), 'badDigest', /4 components and 3 digests/],
  ['a malformed digest', (layout) => layout.objects[0]!.componentSha256.fill('A'), 'badDigest', /64 lower-case/],
  [
    'a size that its components do not have',
    (layout) => Object.assign(layout.objects[0]!, { bytes: 4 }),
    'badFile',
    /its layout says/,
  ],
  [
    'a sum that its objects do not have',
    (layout) => Object.assign(layout, { bytes: layout.bytes + 4 }),
    'badFile',
    /its layout says/,
  ],
];

for (const [what, change, reason, words] of REFUSED) {
  test(`a layout with ${what} is refused before a byte is taken`, () => {
    const answer = planDownload(layoutWith(change), plan, assignment.moduleRanks);
    assert.ok(isRefusal(answer));
    assert.equal(answer.reason, reason);
    assert.match(answer.message, words);
  });
}
