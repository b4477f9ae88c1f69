import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultRecord } from '../faults/conduct.ts';
import type { RunAccount } from '../run-under-faults.ts';
import { chargeFaults } from './charge-faults.ts';
import { checkRun } from './check-run.ts';

const AGENT = 'agent-1';
const MIB = 1 << 20;
const update = (round: number): string => `update ${round}`;
const training = (what: 'began' | 'ended', round: number, atMs: number) => ({
  what,
  atMs,
  round,
  seed: 1,
  adapterIn: '',
  ...(what === 'ended' ? { update: update(round) } : {}),
});
const fault = (number: number, atMs: number, change: Partial<FaultRecord> = {}): FaultRecord =>
  ({
    planned: { number, action: 'kill', target: 'agent' },
    hit: 'an agent killed',
    heldTheLease: false,
    atMs,
    wholeAtMs: atMs + 100,
    waitedFor: null,
    ...change,
  }) as FaultRecord;

/** Two rounds of one agent, an update of 4 MiB in each. */
const account = (change: Partial<RunAccount> = {}): RunAccount => ({
  seconds: 1,
  whyNotCompleted: null,
  faults: [],
  missed: [],
  published: [0, 1, 2].map((round) => ({
    round,
    adapterDigest: `adapter ${round}`,
    updates: round === 0 ? [] : [{ agentId: AGENT, digest: update(round) }],
  })),
  acknowledgements: [1, 2].map((round) => ({ agentId: AGENT, round, atMs: round * 1_000 })),
  receipts: [1, 2].map((round) => ({ agentId: AGENT, round, digest: update(round) })),
  leases: [],
  endings: [],
  trainings: new Map([
    [
      AGENT,
      [1, 2].flatMap((round) => [
        training('began', round, round * 1_000 - 500),
        training('ended', round, round * 1_000 - 100),
      ]),
    ],
  ]),
  sent: [1, 2].map((round) => ({ agentId: AGENT, round, atMs: round * 1_000, bytes: 4 * MIB, rounds: 1 })),
  ...change,
});

test('a run like the undisturbed one holds', () => {
  assert.deepEqual(checkRun(account({ faults: [fault(1, 100)] }), account()).failures, []);
});

test('each thing that must hold is told when it does not', () => {
  const published = account().published;
  const trained = [
    training('began', 1, 500),
    training('ended', 1, 900),
    training('began', 1, 1_200),
    training('ended', 2, 1_900),
  ];
  const wrong: readonly (readonly [Partial<RunAccount>, RegExp])[] = [
    [{ whyNotCompleted: 'waiting for updates' }, /did not complete: waiting for updates/],
    [
      { published: published.map((each) => (each.round === 2 ? { ...each, updates: [] } : each)), receipts: [] },
      /^lost: agent-1 was told/,
    ],
    [
      { published: published.map((each) => (each.round === 1 ? { ...each, adapterDigest: 'x' } : each)) },
      /from round 1 on .* x, undisturbed adapter 1/,
    ],
    [
      { published: published.slice(0, 2), acknowledgements: [], receipts: [] },
      /from round 2 on .* none, undisturbed adapter 2/,
    ],
    [{ faults: [fault(4, 100, { heldTheLease: true })] }, /fault 4 .* taken over after Infinity ms; allowed: 7000/],
    [
      { faults: [fault(5, 100, { wholeAtMs: null, waitedFor: 'agent-1 does not answer' })] },
      /fault 5 .* agent-1 does not answer/,
    ],
    [{ trainings: new Map([[AGENT, trained]]) }, /agent-1 trained round 1 again after its update was acknowledged/],
    [{ endings: [{ service: AGENT, atMs: 1, end: 'exit code 1' }] }, /agent-1 ended by itself \(exit code 1\)/],
    [
      { missed: [{ number: 6, action: 'fill', target: 'minio', moment: 'upload' } as never] },
      /fault 6 \(fill minio\) did not come/,
    ],
  ];
  for (const [change, message] of wrong) {
    const { failures } = checkRun(account(change), account());
    assert.equal(failures.length, 1, failures.join('\n'));
    assert.match(failures[0] ?? '', message);
  }
});

test('a service other than an agent may end by itself and be started again', () => {
  const endings = [{ service: 'orchestrator-1', atMs: 1, end: 'exit code 1' }];
  assert.deepEqual(checkRun(account({ endings }), account()).failures, []);
});

test('bytes and trainings beyond those of the undisturbed run are charged to the last fault before they showed', () => {
  const disturbed = account({
    faults: [fault(1, 100), fault(2, 1_100), fault(3, 5_000)],
    sent: [
      { agentId: AGENT, round: 1, atMs: 1_000, bytes: 7 * MIB, rounds: 1 },
      // The acknowledgement of one round before it was not seen.
      { agentId: AGENT, round: 3, atMs: 2_000, bytes: 8 * MIB + 1_000, rounds: 2 },
    ],
    trainings: new Map([[AGENT, [training('began', 1, 50), training('began', 1, 1_500), training('began', 2, 1_600)]]]),
  });
  const charges = chargeFaults(disturbed, account());
  assert.deepEqual(
    [...charges],
    [
      [1, { bytesResent: 3 * MIB, trainedAgain: 0 }],
      [2, { bytesResent: 0, trainedAgain: 1 }],
    ],
  );
});
