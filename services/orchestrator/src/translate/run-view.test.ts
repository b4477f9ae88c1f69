import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headOf, type RunSpec, step } from '@flexlora/core';
import { runMessage, runSummary } from './run-view.ts';

const spec = {
  runId: 'toy',
  baseModel: { name: 'Toy', digest: 'ab'.repeat(32) },
  modules: [{ name: 'q', out: 4, in: 3, rankGroup: 'attention' }],
  rank: { min: 1, max: 2, tiers: [2], policy: 'uniform' },
  rounds: 1,
  cohort: { goal: 1, minimum: 1, overSelection: 1, late: 'refuse' },
  timing: { collectingMs: 1_000, taskLeaseMs: 1_000, agentReadyMs: 1_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 2, scaling: 'constant' },
  strategy: 'flexlora',
  svdSplit: 'b',
  aggregation: { tolerance: 1.001 },
  seed: 1,
  origin: null,
} as unknown as RunSpec;

test('a run without its cohort is told from its head as from its state', () => {
  const { state } = step(null, { kind: 'runCreated', atMs: 1, spec });
  assert.ok(state !== null);
  const head = { ...headOf(state, 1), spec: state.spec };
  assert.deepEqual(runSummary(head, state.published.values(), 1), runMessage(state, 1));
});
