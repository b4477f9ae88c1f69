import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '../ids.ts';
import { assignRanks } from '../rank/assign-ranks.ts';
import { isRefusal } from '../refusal.ts';
import { chooseCohort, cohortNeed, countAgents } from './choose-cohort.ts';
import { exampleProfile, exampleSpec } from './example-run.ts';
import { persistentMap } from './persistent-map.ts';
import type { AgentRecord, RoundState } from './round-state.ts';

const agent = (change: Partial<AgentRecord> & { readonly carries?: number } = {}): AgentRecord => {
  const profile = exampleProfile(change.carries ?? 8);
  return {
    profile,
    enrolledAtMs: 0,
    roundsServed: 0,
    rank: assignRanks(exampleSpec, profile),
    lastAccepted: null,
    lateAssignment: null,
    ...change,
  };
};
const recruiting = (
  agents: Readonly<Record<string, AgentRecord>>,
  cohort: Partial<typeof exampleSpec.cohort> = {},
  seed = 1,
  readyUntilMs = 100,
): RoundState => ({
  spec: { ...exampleSpec, seed, cohort: { ...exampleSpec.cohort, ...cohort } },
  phase: { kind: 'recruiting', sinceMs: 0, startsAtMs: null, reopened: 0 },
  paused: null,
  round: 1,
  agents: persistentMap(Object.entries(agents) as [AgentId, AgentRecord][]),
  readiness: new Map(
    Object.entries(agents).flatMap(([id, { rank }]) => (isRefusal(rank) ? [] : [[id as AgentId, readyUntilMs]])),
  ),
  cohort: new Map(),
  carried: new Map(),
  tasks: new Map(),
  effects: new Map(),
  troubles: new Map(),
  standingSequence: 0,
  published: new Map(),
});
const chosen = (state: RoundState, size: number, nowMs = 50): readonly string[] =>
  chooseCohort(state, size, nowMs, { deadlineAtMs: 1000, handout: 0 }).map(([agentId]) => agentId);

test('those who served fewest rounds are chosen first', () => {
  const state = recruiting({
    a: agent({ roundsServed: 3 }),
    b: agent({ roundsServed: 1 }),
    c: agent({ roundsServed: 2 }),
    d: agent(),
  });
  assert.deepEqual(chosen(state, 3), ['d', 'b', 'c']);
});

test('among equals the lot decides: the same for a replay, another for another seed', () => {
  const equals = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`agent-${i}`, agent()]));
  const reversed = Object.fromEntries(Object.entries(equals).reverse());
  assert.deepEqual(chosen(recruiting(equals), 10), chosen(recruiting(reversed), 10));
  assert.notDeepEqual(chosen(recruiting(equals), 10), chosen(recruiting(equals, {}, 2), 10));
  assert.notDeepEqual(chosen(recruiting(equals), 10), [...chosen(recruiting(equals), 10)].sort());
});

test('an agent is ready until its time, and not at it', () => {
  const state = recruiting({ a: agent() }, {}, 1, 60);
  assert.deepEqual([chosen(state, 1, 59), chosen(state, 1, 60)], [['a'], []]);
});

test('an agent that carries no rank is counted, and not chosen', () => {
  const state = recruiting({ a: agent({ carries: 1 }), b: agent() });
  assert.deepEqual(chosen(state, 2), ['b']);
  assert.deepEqual(countAgents(state, 50), { available: 1, eligible: 1, tooSmall: 1, ready: 1 });
});

test('an assignment starts from the last published adapter, with the ranks that the profile carries', () => {
  const state = recruiting({ a: agent({ carries: 4 }) });
  const [, member] = chooseCohort(state, 1, 50, { deadlineAtMs: 1000, handout: 2 })[0]!;
  const { seed, ...assignment } = member.assignment;
  assert.deepEqual(assignment, {
    round: 1,
    adapterVersion: 0,
    ranks: { attention: 4, 'feed-forward': 4 },
    reason: 'rank 4: memory allows 4, the deadline allows 1024 or more, tier 4',
    deadlineAtMs: 1000,
    handout: 2,
  });
  assert.ok(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31);
  assert.deepEqual(member.progress, { kind: 'assigned', atMs: 50 });
});

test('no more agents are wanted than are enrolled, unless there are fewer than the goal', () => {
  const agents = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, agent()]));
  const wanted = (count: number): number => {
    const state = recruiting(agents(count), { goal: 4, minimum: 2, overSelection: 1.5 });
    return cohortNeed(state, countAgents(state, 50)).wanted;
  };
  assert.deepEqual([wanted(0), wanted(3), wanted(4), wanted(5), wanted(6), wanted(9)], [4, 4, 4, 5, 6, 6]);
});
