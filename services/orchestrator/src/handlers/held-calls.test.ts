import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import type { AgentId, AgentRecord, RoundState, RunId } from '@flexlora/core';
import { type Clock, silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryRoundStore } from '@flexlora/stores';
import { HEAD_AGE_MS_MAX, WATCH_COALESCE_MS, WATCH_COALESCE_MS_MAX } from '../limits.ts';
import { createRunOccasions } from '../run-occasions.ts';
import type { AgentView, RunHeadView, RunReader, StateView } from '../run-reader.ts';
import { createRunSignals } from '../run-signals.ts';
import { createSlots } from '../slots.ts';
import { awaitAssignment } from './await-assignment.ts';
import { claimTask } from './claim-task.ts';
import type { ControlDeps } from './control-deps.ts';
import { watchRun } from './watch-run.ts';

const RUN = 'toy' as RunId;
const CALLS = 50;
const timing = { collectingMs: 1_000, taskLeaseMs: 1_000, agentReadyMs: 600_000 };
const head = {
  version: 1,
  round: 1,
  rounds: 1,
  phase: { kind: 'recruiting', sinceMs: 1, startsAtMs: null },
  paused: null,
  agents: { enrolled: CALLS, ready: 0, tooSmall: 0, available: 0, wanted: 2, missing: 2 },
  cohort: { members: 0, answered: 0, accepted: 0, goal: 2 },
  tasks: { pending: 0, resting: 0, leased: 0, done: 0, held: 0, aggregators: 0, complaint: null },
  troubles: [],
  spec: { runId: RUN, timing },
} as unknown as RunHeadView;
const stateOf = (agents: number): RoundState =>
  ({
    spec: {
      runId: RUN,
      baseModel: { name: 'toy', digest: '' },
      modules: [],
      rank: { min: 1, max: 2, tiers: [2], policy: 'uniform' },
      rounds: 1,
      cohort: { goal: 1, minimum: 1, overSelection: 1 },
      timing,
      training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 2, scaling: 'constant' },
      strategy: 'flexlora',
      svdSplit: 'b',
      aggregation: { tolerance: 1.001 },
      seed: 1,
    },
    phase: { kind: 'recruiting', sinceMs: 1, startsAtMs: null },
    paused: null,
    round: 1,
    agents: new Map(Array.from({ length: agents }, (_, n) => [`agent-${n}` as AgentId, {} as AgentRecord])),
    readiness: new Map(),
    cohort: new Map(),
    tasks: new Map(),
    effects: new Map(),
    troubles: new Map(),
    published: new Map(),
  }) as unknown as RoundState;

/** Counts its listeners, and is no signal from which another one can be derived: each would be kept until this one ends. */
function countingSignal(signal: AbortSignal) {
  const stopping = {
    get aborted() {
      return signal.aborted;
    },
    get reason() {
      return signal.reason;
    },
    throwIfAborted: () => signal.throwIfAborted(),
    addEventListener: signal.addEventListener.bind(signal),
    removeEventListener: signal.removeEventListener.bind(signal),
  } as unknown as AbortSignal;
  return { stopping, listeners: () => getEventListeners(signal, 'abort').length };
}

async function start(clock: Clock, agents: number) {
  const roundStore = createMemoryRoundStore({ now: clock.nowMs });
  const signals = await createRunSignals({ roundStore, clock });
  const process = new AbortController();
  const { stopping, listeners } = countingSignal(process.signal);
  const reader: Partial<RunReader> = {
    readHead: async () => head,
    readAgent: async (): Promise<AgentView> => ({
      head,
      agent: {} as AgentRecord,
      member: null,
      readyUntilMs: clock.nowMs() + timing.agentReadyMs,
    }),
    readState: async (): Promise<StateView> => ({ version: 1, state: stateOf(agents) }),
  };
  const shared = { roundStore, reader: reader as RunReader, signals, clock, logger: silentLogger, stopping };
  const deps = {
    ...shared,
    occasions: createRunOccasions(shared),
    heldSlots: createSlots('calls', 1_000),
    watchSlots: createSlots('watchers', 1_000),
    random: () => 0.5,
    randomId: () => 'id',
  } as unknown as ControlDeps;
  const stop = (): void => {
    process.abort(new Error('stopping'));
    signals.wakeAll();
    signals.close();
  };
  return { deps, stop, listeners };
}

const callContext = () => ({ signal: new AbortController().signal, peer: 'test' });

test('held calls derive nothing of their own from the end of the process, which ends them all', async () => {
  const { deps, stop, listeners } = await start(systemClock, 2);
  const waits = Array.from({ length: CALLS }, (_, n) => [
    awaitAssignment(deps, { runId: RUN, agentId: `agent-${n}`, waitMsMax: 30_000 }, callContext()),
    claimTask(
      deps,
      { aggregatorId: 'aggregator', claimId: n.toString(16).padStart(8, '0'), waitMsMax: 30_000 },
      callContext(),
    ),
  ]).flat();
  const watches = Array.from({ length: CALLS }, async () => {
    const told = watchRun(deps, { runId: RUN, withoutCohort: false }, callContext());
    for (let next = await told.next(); ; next = await told.next()) if (next.done === true) return next.value;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(listeners() < 10, `${listeners()} listeners`);
  stop();
  const answers = await Promise.all(waits);
  assert.deepEqual(
    [...new Set(answers.map((answer) => ('answer' in answer ? answer.answer?.$case : answer.kind)))].sort(),
    ['comeBack', 'comeBackAfterMs'],
  );
  assert.deepEqual([...new Set(await Promise.all(watches))], [undefined]);
});

test('an agent whose turn comes later is told when, and one whose turn it is gets its assignment', async () => {
  const { deps, stop } = await start(systemClock, 2);
  const assignment = { round: 1, adapterVersion: 0, ranks: {}, reason: '', seed: 1, deadlineAtMs: 9, handout: 1 };
  const collecting = { ...head, phase: { kind: 'collecting', sinceMs: 2, deadlineAtMs: 9, reopened: 0 } };
  const answerTo = async (afterMs: number) => {
    const news = { head: collecting, member: { assignment, progress: { kind: 'assigned', atMs: 2 } }, afterMs };
    const seat = { wait: async () => news, isServed: () => true, leave: () => {} };
    const request = { runId: RUN, agentId: 'agent-1', waitMsMax: 30_000 };
    const answer = await awaitAssignment(
      { ...deps, occasions: { enter: () => seat } } as unknown as ControlDeps,
      request,
      callContext(),
    );
    return 'answer' in answer ? answer.answer : undefined;
  };
  assert.equal((await answerTo(0))?.$case, 'assignment');
  assert.deepEqual(await answerTo(1_500), {
    $case: 'comeBack',
    value: { afterMs: 1_500, reason: 'round 1 has begun; this agent begins in 2 s' },
  });
  stop();
});

test('the cohort of a large run is looked at less often for its watchers', async () => {
  const pauses: number[] = [];
  const pausesOf = async (agents: number): Promise<number> => {
    pauses.length = 0;
    const gone = new AbortController();
    const clock: Clock = {
      nowMs: () => 0,
      sleep: async (ms, signal) => {
        if (ms === HEAD_AGE_MS_MAX) return;
        pauses.push(ms);
        gone.abort(new Error('gone'));
        signal?.throwIfAborted();
      },
    };
    const { deps, stop } = await start(clock, agents);
    const told = watchRun(deps, { runId: RUN, withoutCohort: false }, { signal: gone.signal, peer: 'test' });
    await told.next();
    const next = told.next();
    deps.signals.wakeAll();
    await assert.rejects(next, /gone/);
    stop();
    return pauses.at(-1) ?? Number.NaN;
  };
  assert.equal(await pausesOf(10), WATCH_COALESCE_MS);
  assert.equal(await pausesOf(10_000), 2_000);
  assert.equal(await pausesOf(100_000), WATCH_COALESCE_MS_MAX);
});
