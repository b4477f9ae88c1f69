import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ModuleName, parseTaskId } from '../ids.ts';
import {
  RANK_GROUP_CHARS_MAX,
  RUN_MODULES_MAX,
  TASK_OBJECT_BYTES_TARGET,
  TASKS_PER_RANK_GROUP_MIN,
} from '../limits.ts';
import { isRefusal } from '../refusal.ts';
import { exampleSpec } from '../round/example-run.ts';
import type { ModuleSpec, RunSpec } from '../round/run-spec.ts';
import { planAggregation } from './plan-aggregation.ts';

const withModules = (modules: readonly ModuleSpec[], max = 8): RunSpec => ({
  ...exampleSpec,
  modules,
  rank: { ...exampleSpec.rank, max },
});
const layers = (count: number, side = 64): readonly ModuleSpec[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `layers.${i}.q` as ModuleName,
    out: side,
    in: side,
    rankGroup: 'attention',
  }));

test('a small model is shared by four aggregators a rank group', () => {
  const plan = planAggregation(withModules(layers(32)));
  assert.deepEqual(
    plan.map(({ taskId, modules }) => [taskId, modules.length]),
    [
      ['attention-0', 8],
      ['attention-1', 8],
      ['attention-2', 8],
      ['attention-3', 8],
    ],
  );
});

test('fewer modules than tasks make a task each', () => {
  assert.deepEqual(
    planAggregation(exampleSpec).map(({ taskId, modules }) => `${taskId}: ${modules.join()}`),
    [
      'attention-0: layers.0.attn.q_proj',
      'attention-1: layers.1.attn.q_proj',
      'feed-forward-0: layers.0.mlp.up_proj',
      'feed-forward-1: layers.1.mlp.up_proj',
    ],
  );
});

test('a large model is split by the size of its objects', () => {
  const spec = withModules(layers(64, 16_384), 256);
  const bytesOf = 256 * 2 * 16_384 * 4;
  const plan = planAggregation(spec);
  assert.equal(plan.length, Math.ceil((64 * bytesOf) / TASK_OBJECT_BYTES_TARGET));
  for (const { modules } of plan)
    assert.ok(modules.length * bytesOf <= TASK_OBJECT_BYTES_TARGET, `${modules.length} modules`);
});

test('every module is in exactly one task, in order, of its own rank group; no task is empty; costs are about equal', () => {
  const module = fc.record({
    out: fc.integer({ min: 1, max: 4000 }),
    in: fc.integer({ min: 1, max: 4000 }),
    rankGroup: fc.constantFrom('a', 'a-1', 'b'),
  });
  fc.assert(
    fc.property(fc.array(module, { minLength: 1, maxLength: 60 }), (shapes) => {
      const modules = shapes.map((shape, i) => ({ ...shape, name: `m${i}` as ModuleName }));
      const plan = planAggregation(withModules(modules));
      for (const group of new Set(modules.map(({ rankGroup }) => rankGroup))) {
        const tasks = plan.filter(({ rankGroup }) => rankGroup === group);
        const members = modules.filter(({ rankGroup }) => rankGroup === group);
        assert.deepEqual(
          tasks.flatMap((task) => task.modules),
          members.map(({ name }) => name),
        );
        assert.equal(tasks.length, Math.min(members.length, TASKS_PER_RANK_GROUP_MIN));
        const costs = new Map(
          members.map(({ name, out, in: columns }) => [name, Math.min(8, out, columns) * (out + columns)]),
        );
        const sum = (names: readonly ModuleName[]): number =>
          names.reduce((total, name) => total + costs.get(name)!, 0);
        const share = sum(members.map(({ name }) => name)) / tasks.length;
        // Modules are not cut, so a task may have up to a module more than its share on either side.
        for (const task of tasks)
          assert.ok(
            task.modules.length === 1 || sum(task.modules) <= share + Math.max(...costs.values()),
            `${sum(task.modules)} of ${share}`,
          );
      }
      assert.ok(plan.every((task) => task.modules.length > 0));
      assert.equal(new Set(plan.map(({ taskId }) => taskId)).size, plan.length);
    }),
  );
});

test('the longest task id is an id', () => {
  const rankGroup = 'x'.repeat(RANK_GROUP_CHARS_MAX);
  assert.ok(!isRefusal(parseTaskId(`${rankGroup}-${RUN_MODULES_MAX}`)));
});
