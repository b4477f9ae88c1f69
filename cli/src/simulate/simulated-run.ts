import {
  LatePolicy,
  RankPolicy,
  type RunSpec,
  Scaling,
  Strategy,
  SvdSplit,
  UpdateFormat,
} from '@flexlora/contracts/run/v1/run_spec';
import {
  AGENT_READY_MS,
  BYTES_PER_SIDE,
  COLLECTING_TRACE_MS,
  MINIMUM_SHARE,
  MODULES,
  OVER_SELECTION,
  RANK_TIERS,
  TASK_LEASE_MS,
  TRAINING_STEPS,
} from './limits.ts';
import type { SimulateOptions } from './options.ts';

/** No weights stand behind it: nothing is trained. */
export const BASE_DIGEST = '0'.repeat(64);

/** The run that the virtual agents take part in. Traces are faster than the clock, so its round is as much shorter. */
export function simulatedRunSpec(
  runId: string,
  options: Pick<SimulateOptions, 'cohort' | 'rounds' | 'seed' | 'updateBytes' | 'speed'>,
): RunSpec {
  const goal = Math.max(1, Math.floor(options.cohort / OVER_SELECTION));
  const side = Math.round(options.updateBytes / BYTES_PER_SIDE);
  return {
    runId,
    baseModelName: 'simulated',
    baseModelDigest: BASE_DIGEST,
    modules: Array.from({ length: MODULES }, (_, layer) => ({
      name: `model.layers.${layer}.self_attn.q_proj`,
      outFeatures: side,
      inFeatures: side,
      rankGroup: 'attention',
    })),
    rank: {
      min: RANK_TIERS[0] ?? 1,
      max: RANK_TIERS.at(-1) ?? 1,
      tiers: [...RANK_TIERS],
      policy: RankPolicy.DEADLINE_FIT,
    },
    rounds: options.rounds,
    cohort: {
      goal,
      minimum: Math.max(1, Math.floor(goal * MINIMUM_SHARE)),
      overSelection: options.cohort / goal,
      late: LatePolicy.REFUSE,
    },
    timing: {
      collectingMs: Math.round(COLLECTING_TRACE_MS / options.speed),
      taskLeaseMs: TASK_LEASE_MS,
      agentReadyMs: AGENT_READY_MS,
    },
    training: { steps: TRAINING_STEPS, batchSize: 1, learningRate: 0.001, alpha: 16, scaling: Scaling.ALPHA_OVER_RANK },
    strategy: Strategy.FLEXLORA,
    svdSplit: SvdSplit.B,
    aggregation: undefined,
    seed: options.seed,
    origin: undefined,
    updateFormat: UpdateFormat.AS_TRAINED,
  };
}
