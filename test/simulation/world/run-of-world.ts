import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import type { RunId } from '@flexlora/core';
import type { WorldPlan } from '../faults/fault-plan.ts';

export const RUN_ID = 'simulated' as RunId;
export const BASE_DIGEST = 'ab'.repeat(32);
/** As small as matrices can be that still have two ranks to choose from, in two groups: two tasks a round. */
export const MODULES = [
  { name: 'layers.0.q_proj', outFeatures: 4, inFeatures: 4, rankGroup: 'attention' },
  { name: 'layers.0.up_proj', outFeatures: 4, inFeatures: 4, rankGroup: 'feed-forward' },
] as const;

/** A training takes between a half and this, in steps that are told. */
export const TRAINING_MS_MAX = 3_000;
/** Long enough for a training and a fault or two, short enough that a round without its agents opens again. */
const COLLECTING_MS = 20_000;
const TASK_LEASE_MS = 3_000;
const AGENT_READY_MS = 30_000;

/** What the operator asks for. */
export const runSpecOf = (plan: WorldPlan, seed: number): RunSpec => ({
  runId: RUN_ID,
  baseModelName: 'simulated',
  baseModelDigest: BASE_DIGEST,
  modules: MODULES.map((module) => ({ ...module })),
  rank: { min: 1, max: 2, tiers: [1, 2], policy: 2 },
  rounds: plan.rounds,
  cohort: {
    goal: plan.goal,
    minimum: plan.minimum,
    overSelection: plan.overSelection,
    late: plan.late === 'carry' ? 2 : 1,
  },
  timing: { collectingMs: COLLECTING_MS, taskLeaseMs: TASK_LEASE_MS, agentReadyMs: AGENT_READY_MS },
  training: { steps: 4, batchSize: 1, learningRate: 0.1, alpha: 2, scaling: 1 },
  strategy: 1,
  svdSplit: 1,
  aggregation: { tolerance: 1.001 },
  seed: seed % 2 ** 31,
  origin: undefined,
  updateFormat: 1,
});
