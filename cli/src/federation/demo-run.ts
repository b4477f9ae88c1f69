import {
  LatePolicy,
  type ModuleSpec,
  RankPolicy,
  type RunSpec,
  Scaling,
  Strategy,
  SvdSplit,
} from '@flexlora/contracts/run/v1/run_spec';
import type { UpdateFormat } from '@flexlora/core';
import { FORMATS } from '../run/spec-document.ts';

/** What a trainer says of its base model. */
export interface TrainedModel {
  readonly name: string;
  readonly digest: string;
  readonly modules: readonly { readonly name: string; readonly out: number; readonly in: number }[];
}

export interface DemoRunOptions {
  readonly runId: string;
  readonly model: TrainedModel;
  readonly agents: number;
  readonly rounds: number;
  readonly seed: number;
  readonly updateFormat: UpdateFormat;
}

/** Ranks that the demonstration hands out. */
const RANK_TIERS = [2, 4, 8, 16, 32];
/** A round of the demonstration takes seconds; a machine under load gets ten minutes before late updates are refused. */
const COLLECTING_MS = 600_000;
const TASK_LEASE_MS = 15_000;
const AGENT_READY_MS = 60_000;

/** The run of the demonstration: every agent takes part in every round, so that the same seed gives the same adapter. */
export function demoRunSpec(options: DemoRunOptions): RunSpec {
  return {
    runId: options.runId,
    baseModelName: options.model.name,
    baseModelDigest: options.model.digest,
    modules: options.model.modules.map(moduleSpec),
    rank: {
      min: Math.min(...RANK_TIERS),
      max: Math.max(...RANK_TIERS),
      tiers: RANK_TIERS,
      policy: RankPolicy.DEADLINE_FIT,
    },
    rounds: options.rounds,
    cohort: { goal: options.agents, minimum: options.agents, overSelection: 1, late: LatePolicy.REFUSE },
    timing: { collectingMs: COLLECTING_MS, taskLeaseMs: TASK_LEASE_MS, agentReadyMs: AGENT_READY_MS },
    // A constant factor makes a step of every rank the same size; the rate is what the small model bears at rank 32.
    training: { steps: 20, batchSize: 4, learningRate: 0.005, alpha: 1, scaling: Scaling.CONSTANT },
    strategy: Strategy.FLEXLORA,
    svdSplit: SvdSplit.B,
    aggregation: undefined,
    seed: options.seed,
    origin: undefined,
    updateFormat: FORMATS[options.updateFormat],
  };
}

function moduleSpec(module: TrainedModel['modules'][number]): ModuleSpec {
  return { name: module.name, outFeatures: module.out, inFeatures: module.in, rankGroup: rankGroupOf(module.name) };
}

/** The customary groups: attention, feed-forward, and what is left (the head). */
function rankGroupOf(name: string): string {
  if (name.includes('.self_attn.')) return 'attention';
  if (name.includes('.mlp.')) return 'feed-forward';
  return 'head';
}
