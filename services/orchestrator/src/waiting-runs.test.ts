import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunHead, RunId } from '@flexlora/core';
import { type Clock, type Logger, silentLogger } from '@flexlora/runtime';
import { Registry } from 'prom-client';
import { WAITING_TOLD_MS } from './limits.ts';
import { createOrchestratorMetrics } from './metrics.ts';
import { createWaitingRuns } from './waiting-runs.ts';

const head = {
  version: 1,
  phase: { kind: 'recruiting', sinceMs: 0, startsAtMs: null, reopened: 0 },
  paused: null,
  round: 1,
  rounds: 3,
  late: 'refuse',
  standingSequence: 0,
  agents: { enrolled: 5, ready: 5, tooSmall: 0, available: 5, wanted: 8, missing: 8 },
  cohort: { members: 0, answered: 0, accepted: 0, goal: 8 },
  tasks: { pending: 0, resting: 0, leased: 0, done: 0, held: 0, aggregators: 0, claims: [], complaint: null },
  troubles: [],
} as const satisfies RunHead;

test('a run says what it waits for when that changes, again after a while, and as a metric', async () => {
  let nowMs = 0;
  const clock: Clock = { nowMs: () => nowMs, sleep: () => Promise.resolve() };
  const told: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (fields) => void told.push(`${nowMs}: ${fields['waitingFor']}: ${fields['why']}`),
  };
  const registry = new Registry();
  const runs = createWaitingRuns({ clock, metrics: createOrchestratorMetrics(registry) });
  const run = runs.follow('toy' as RunId, logger);
  const gauges = async () =>
    (await registry.metrics()).split('\n').filter((line) => /^flexlora_runs?_wait/.test(line) && !line.endsWith(' 0'));

  run.stands(head);
  nowMs = WAITING_TOLD_MS / 2;
  run.stands({ ...head, agents: { ...head.agents, available: 6 } });
  run.timePassed();
  assert.deepEqual(told, ['0: agents: waiting for 3 more agents: 5 of 8 ready, at least 8 for round 1']);
  assert.deepEqual(await gauges(), [
    'flexlora_runs_waiting{for="agents"} 1',
    `flexlora_run_wait_seconds_max{for="agents"} ${WAITING_TOLD_MS / 2_000}`,
  ]);
  nowMs = WAITING_TOLD_MS;
  run.timePassed();
  run.stands({ ...head, paused: { sinceMs: nowMs, reason: 'maintenance' } });
  assert.equal(told.length, 3);
  assert.match(told[1]!, /waiting for 2 more agents: 6 of 8 ready/);
  assert.match(told[2]!, /resume: paused by operator: maintenance/);
  assert.deepEqual(await gauges(), ['flexlora_runs_waiting{for="resume"} 1']);
  run.end();
  assert.deepEqual(await gauges(), []);
});
