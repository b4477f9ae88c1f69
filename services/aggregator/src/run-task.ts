import { isRefusal, type ModuleComponents, type ModuleResult, type Refusal, type TaskResult } from '@flexlora/core';
import { BATCH_BYTES_MAX, type Kernel } from '@flexlora/kernel';
import type { Clock } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import type { HeaderCache } from './header-cache.ts';
import { PULLS_AT_ONCE_MAX } from './limits.ts';
import { mapBounded } from './map-bounded.ts';
import type { AggregatorMetrics, TaskStage } from './metrics.ts';
import { createObjectReader, type ObjectReader } from './object-reader.ts';
import { createPreviousAdapter, NO_PREVIOUS_ADAPTER, type PreviousAdapter } from './previous-adapter.ts';
import { readLedger, readManifest } from './read-ledger.ts';
import { type SumStage, sumModule } from './sum-module.ts';
import type { TaskWork } from './translate.ts';
import { locateUpdateFactors, type UpdateFactors } from './update-factors.ts';
import { writeAdapter } from './write-adapter.ts';

export interface RunTaskDeps {
  readonly objectStore: ObjectStore;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: AggregatorMetrics;
  /** Shared by the tasks of a process. */
  readonly headers: HeaderCache;
}

/**
 * Does one task: its updates' factors from the store, their sum truncated by the kernel, the rank-major object back into the store.
 * The result depends on the task alone: whoever runs it, and however often, writes the same bytes.
 *
 * Memory: two batches of factors as they are stored, one that is summed and one that is pulled meanwhile (`BATCH_BYTES_MAX` each, or one term
 * where that is more), what the kernel holds of one module (`KernelPlan.scratchBytes`, at most what it is allowed), the results of the task's
 * modules (rank · Σ (out + in) f32, the size of its object, which the plan bounds), one part of that object, and for `flexlora-residual` the previous
 * object of the same size. None of it grows with the number of updates beyond what the kernel is allowed. The exceptions are `fedavg` and
 * `hetlora`, whose one term is made of all updates: there the batch is one module's factors of all of them.
 *
 * @returns the result, or a refusal of an input that can never work.
 * @throws {Fault} when a backend failed for longer than it is waited for, {KernelError} from the kernel, the signal's reason.
 */
export async function runTask(deps: RunTaskDeps, work: TaskWork, signal: AbortSignal): Promise<TaskResult | Refusal> {
  const reader = createObjectReader(deps.objectStore, deps);
  const timed = async <T>(stage: TaskStage, part: Promise<T>): Promise<T> => {
    const startedAtMs = deps.clock.nowMs();
    const value = await part;
    deps.metrics.stageTook(stage, (deps.clock.nowMs() - startedAtMs) / 1000);
    return value;
  };

  const updates = await timed('pull', locateUpdates({ ...deps, reader }, work, signal));
  if (isRefusal(updates)) return updates;
  const previous = await timed('pull', openPrevious(reader, work, signal));
  if (isRefusal(previous)) return previous;
  const components: ModuleComponents[] = [];
  const modules: ModuleResult[] = [];
  for (const module of work.modules) {
    const spentMs: Record<SumStage, number> = { pull: 0, sum: 0 };
    const spend = async <T>(stage: SumStage, part: Promise<T>): Promise<T> => {
      const startedAtMs = deps.clock.nowMs();
      const value = await part;
      spentMs[stage] += deps.clock.nowMs() - startedAtMs;
      return value;
    };
    const input = { module, updates, previous, batchBytesMax: BATCH_BYTES_MAX };
    const summed = await sumModule({ kernel: deps.kernel, reader, spend }, work, input, signal);
    if (isRefusal(summed)) return summed;
    for (const stage of ['pull', 'sum'] as const) deps.metrics.stageTook(stage, spentMs[stage] / 1000);
    deps.metrics.summed(summed.result);
    components.push(summed.components);
    modules.push(summed.result);
    signal.throwIfAborted();
  }
  const written = await timed('put', writeAdapter(deps.objectStore, deps, work.objectName, components, signal));
  return { objectName: work.objectName, ...written, modules };
}

async function locateUpdates(
  deps: { readonly reader: ObjectReader; readonly headers: HeaderCache },
  work: TaskWork,
  signal: AbortSignal,
): Promise<readonly UpdateFactors[] | Refusal> {
  const ledger = await readLedger(deps.reader, work, signal);
  if (isRefusal(ledger)) return ledger;
  const located = await mapBounded(
    ledger.updates,
    PULLS_AT_ONCE_MAX,
    (update, abort) => locateUpdateFactors(deps, update, work.modules, abort),
    signal,
  );
  const updates: UpdateFactors[] = [];
  for (const update of located) {
    if (isRefusal(update)) return update;
    updates.push(update);
  }
  return updates;
}

async function openPrevious(
  reader: ObjectReader,
  work: TaskWork,
  signal: AbortSignal,
): Promise<PreviousAdapter | Refusal> {
  if (work.previousManifest === null) return NO_PREVIOUS_ADAPTER;
  const manifest = await readManifest(reader, work.previousManifest, work, signal);
  return isRefusal(manifest) ? manifest : createPreviousAdapter(reader, manifest);
}
