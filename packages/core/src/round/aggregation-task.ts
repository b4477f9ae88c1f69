import type { TaskId } from '../ids.ts';
import { adapterObjectName, type TaskAttempt } from '../object-names.ts';
import type { AggregationTask } from './round-reply.ts';
import type { RoundState, StoredDocument, TaskRecord } from './round-state.ts';
import type { ModuleSpec, RunSpec } from './run-spec.ts';
import { completionSeed } from './seeded-hash.ts';

/** Everything an aggregator needs to know of a claimed task. */
export const aggregationTask = (
  state: RoundState,
  ledger: StoredDocument,
  taskId: TaskId,
  claimed: TaskAttempt,
  leaseUntilMs: number,
): AggregationTask => ({
  runId: state.spec.runId,
  round: state.round,
  taskId,
  attempt: claimed.attempt,
  leaseUntilMs,
  modules: modulesOf(state.spec, state.tasks.get(taskId)!),
  rank: state.spec.rank.max,
  strategy: state.spec.strategy,
  tolerance: state.spec.aggregation.tolerance,
  ledger,
  previousManifest: state.published.get(state.round - 1)?.manifest ?? null,
  completionSeed: completionSeed(state.spec.seed, state.round),
  objectName: adapterObjectName(state.spec.runId, state.round, taskId, claimed, ledger.digest),
});

/** The task's modules with their shapes, in the order in which the task lists them: that of the object's bytes. */
export function modulesOf(spec: RunSpec, task: TaskRecord): readonly ModuleSpec[] {
  const byName = new Map(spec.modules.map((module) => [module.name, module]));
  return task.modules.map((name) => byName.get(name)!);
}
