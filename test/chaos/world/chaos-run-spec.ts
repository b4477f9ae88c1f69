import {
  LatePolicy,
  RankPolicy,
  type RunSpec,
  Scaling,
  Strategy,
  SvdSplit,
  UpdateFormat,
} from '@flexlora/contracts/run/v1/run_spec';
import { SCRIPTED_MODULES } from '../../harness/trainers/scripted-modules.ts';

export const AGENTS = 8;
const RANK_TIERS = [8, 16, 32, 64];
/** The scripted trainer says that a rank takes a thousand bytes: with what is kept free of it, two agents of each tier. */
export const memoryOfAgent = (index: number): number => (RANK_TIERS[index >> 1] ?? 8) * 1_250;

/** The bar of this harness is a takeover within this and two seconds. */
export const LEASE_MS = 5_000;
/** No deadline decides anything here: a round waits for whoever is away. */
const COLLECTING_MS = 3_600_000;
const TASK_LEASE_MS = 5_000;
const AGENT_READY_MS = 60_000;

/** Every agent takes part in every round, so that the same seed gives the same adapters whatever happens on the way. */
export const chaosRunSpec = (options: {
  readonly runId: string;
  readonly rounds: number;
  readonly seed: number;
}): RunSpec => ({
  runId: options.runId,
  baseModelName: 'scripted',
  baseModelDigest: 'a'.repeat(64),
  modules: SCRIPTED_MODULES.map(({ name, out, in: width }) => ({
    name,
    outFeatures: out,
    inFeatures: width,
    rankGroup: 'attention',
  })),
  rank: { min: 8, max: 64, tiers: RANK_TIERS, policy: RankPolicy.MEMORY_FIT },
  rounds: options.rounds,
  cohort: { goal: AGENTS, minimum: AGENTS, overSelection: 1, late: LatePolicy.REFUSE },
  timing: { collectingMs: COLLECTING_MS, taskLeaseMs: TASK_LEASE_MS, agentReadyMs: AGENT_READY_MS },
  training: { steps: 4, batchSize: 1, learningRate: 0.1, alpha: 1, scaling: Scaling.CONSTANT },
  strategy: Strategy.FLEXLORA,
  svdSplit: SvdSplit.B,
  aggregation: undefined,
  seed: options.seed,
  origin: undefined,
  updateFormat: UpdateFormat.AS_TRAINED,
});
