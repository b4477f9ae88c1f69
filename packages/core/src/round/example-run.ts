import { componentCount, prefixBytes } from '../adapter/adapter-layout.ts';
import type { AgentId, ModuleName, RunId, Sha256Hex, TaskId } from '../ids.ts';
import { updateObjectName } from '../object-names.ts';
import type { ResourceProfile } from '../rank/resource-profile.ts';
import { modulesOf } from './aggregation-task.ts';
import type { Assignment, RoundState, StoredUpdate, TaskResult } from './round-state.ts';
import type { ModuleSpec, RunSpec } from './run-spec.ts';
import { seededHash } from './seeded-hash.ts';

/** A small valid run with its agents' answers, for tests: two layers of attention and feed-forward, ranks 2, 4 and 8. */
export const exampleSpec: RunSpec = {
  runId: 'example' as RunId,
  baseModel: { name: 'example-base', digest: exampleDigest('base') },
  modules: [0, 1].flatMap((layer): ModuleSpec[] => [
    { name: `layers.${layer}.attn.q_proj` as ModuleName, out: 16, in: 16, rankGroup: 'attention' },
    { name: `layers.${layer}.mlp.up_proj` as ModuleName, out: 32, in: 4, rankGroup: 'feed-forward' },
  ]),
  rank: { min: 2, max: 8, tiers: [2, 4, 8], policy: 'deadline-fit' },
  rounds: 2,
  cohort: { goal: 2, minimum: 1, overSelection: 1, late: 'refuse' },
  timing: { collectingMs: 60_000, taskLeaseMs: 10_000, agentReadyMs: 40_000 },
  training: { steps: 10, batchSize: 4, learningRate: 0.001, alpha: 16, scaling: 'alphaOverRank' },
  strategy: 'flexlora',
  svdSplit: 'b',
  aggregation: { tolerance: 1.001 },
  seed: 7,
  origin: null,
};

/** Carries `rank` by its memory, and any rank by its speed. */
export const exampleProfile = (rank: number): ResourceProfile => ({
  // Memory of rank r is 1000 + 100 r, and a tenth stays free; half a rank more keeps rounding out of it.
  memoryBytesMax: Math.round((1000 + 100 * (rank + 0.5)) / 0.9),
  measurements: [
    { rank: 2, memoryBytes: 1200, stepSeconds: 0.01 },
    { rank: 8, memoryBytes: 1800, stepSeconds: 0.02 },
  ],
  uplinkBytesPerSecond: 1_000_000,
  samples: 100,
});

/** 64 hexadecimal digits that stand for the bytes called `name`. */
export function exampleDigest(name: string): Sha256Hex {
  const digits = Array.from({ length: 8 }, (_, i) => seededHash(name, i).toString(16).padStart(8, '0'));
  return digits.join('') as Sha256Hex;
}

export const exampleUpdate = (
  spec: RunSpec,
  agentId: AgentId,
  assignment: Assignment,
  name: string,
  attempt = name,
): StoredUpdate => ({
  objectName: updateObjectName(spec.runId, assignment.round, agentId, attempt),
  bytes: 1000,
  digest: exampleDigest(name),
  samples: 100,
  ranks: assignment.ranks,
  alpha: spec.training.alpha,
  scaling: spec.training.scaling,
  loss: 1.5,
});

/** What an honest aggregator answers for a task of this state. */
export function exampleResult(state: RoundState, taskId: TaskId, attempt: number): Omit<TaskResult, 'objectName'> {
  const task = state.tasks.get(taskId);
  const modules = task === undefined ? [] : modulesOf(state.spec, task);
  const layout = modules.map((module) => ({ ...module, rank: Math.min(state.spec.rank.max, module.out, module.in) }));
  const content = `${state.round}-${taskId}-${attempt}`;
  return {
    bytes: prefixBytes(layout, state.spec.rank.max),
    digest: exampleDigest(content),
    componentDigests: Array.from({ length: componentCount(layout) }, (_, j) => exampleDigest(`${content}#${j}`)),
    modules: layout.map(({ name, rank }) => ({
      name,
      rank,
      spectrum: Array.from({ length: rank }, (_, j) => rank - j),
      rankSum: 2 * rank,
      method: 'stacked',
      energyKept: 90,
      energyTotal: 100,
      energyTotalError: 0,
      residual: 0.25,
      blocks: 0,
      converged: true,
      fallbackFrom: null,
      tolerance: state.spec.aggregation.tolerance,
      excess: 0,
      scratchBytes: 1 << 20,
      seconds: 0.5,
    })),
  };
}
