import type { ModuleName, TaskId } from '../ids.ts';
import { TASK_OBJECT_BYTES_TARGET, TASKS_PER_RANK_GROUP_MIN } from '../limits.ts';
import { rankGroups } from '../rank/assign-ranks.ts';
import type { ModuleSpec, RunSpec } from '../round/run-spec.ts';

/** One unit of aggregation: neighbouring modules of one rank group, so that a group's download stays a prefix of a few objects. */
export interface PlannedTask {
  /** `<rank group>-<n>`, the same in every round. */
  readonly taskId: TaskId;
  readonly rankGroup: string;
  readonly modules: readonly ModuleName[];
}

const F32_BYTES = 4;

/** Every module of the run in exactly one task; depends on the specification alone. */
export const planAggregation = (spec: RunSpec): readonly PlannedTask[] =>
  rankGroups(spec).flatMap((rankGroup) =>
    splitEvenly(
      spec.modules.filter((module) => module.rankGroup === rankGroup),
      (module) => objectBytes(spec, module),
    ).map((modules, n) => ({
      taskId: `${rankGroup}-${n}` as TaskId,
      rankGroup,
      modules: modules.map(({ name }) => name),
    })),
  );

/** Bytes of the module in the adapter object. The kernel's work grows with the same product of sides and rank. */
const objectBytes = (spec: RunSpec, { out, in: columns }: ModuleSpec): number =>
  Math.min(spec.rank.max, out, columns) * (out + columns) * F32_BYTES;

/** Runs of neighbours of about equal cost: a part ends at the module that brings it nearest to its share. */
function splitEvenly(modules: readonly ModuleSpec[], costOf: (module: ModuleSpec) => number): readonly ModuleSpec[][] {
  const total = modules.reduce((sum, module) => sum + costOf(module), 0);
  const count = Math.min(
    modules.length,
    Math.max(TASKS_PER_RANK_GROUP_MIN, Math.ceil(total / TASK_OBJECT_BYTES_TARGET)),
  );
  const parts: ModuleSpec[][] = [];
  let part: ModuleSpec[] = [];
  let before = 0;
  for (const [i, module] of modules.entries()) {
    part.push(module);
    before += costOf(module);
    const next = modules[i + 1];
    const partsAfter = count - parts.length - 1;
    // A part is full at its share of the sum; it is never so long that a part after it would stay empty.
    const full = next === undefined || before + costOf(next) / 2 > (total * (parts.length + 1)) / count;
    if (next === undefined || modules.length - i - 1 === partsAfter || (full && partsAfter > 0)) {
      parts.push(part);
      part = [];
    }
  }
  return parts;
}
