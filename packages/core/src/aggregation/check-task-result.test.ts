import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModuleName } from '../ids.ts';
import { exampleDigest, exampleSpec } from '../round/example-run.ts';
import type { ModuleResult, TaskResult } from '../round/round-state.ts';
import { checkTaskResult } from './check-task-result.ts';

/** 32 × 4 at rank 8: four components of 36 floats. */
const module = exampleSpec.modules[1]!;
const expected = { modules: [module], rank: 8, tolerance: 1.001 };
const moduleResult: ModuleResult = {
  name: module.name,
  rank: 4,
  spectrum: [3, 2, 2, 0],
  rankSum: 12,
  method: 'stacked',
  energyKept: 17,
  energyTotal: 18,
  energyTotalError: 0,
  residual: 0.1,
  blocks: 0,
  converged: true,
  fallbackFrom: null,
  tolerance: 1.001,
  excess: 0,
  scratchBytes: 1 << 20,
  seconds: 0.5,
};
const good: TaskResult = {
  objectName: 'here',
  bytes: 4 * 36 * 4,
  digest: exampleDigest('x'),
  componentDigests: [0, 1, 2, 3].map((j) => exampleDigest(String(j))),
  modules: [moduleResult],
};
const withModule = (change: Partial<ModuleResult>): TaskResult => ({
  ...good,
  modules: [{ ...moduleResult, ...change }],
});

test('the truncated sum of the task is taken', () => assert.equal(checkTaskResult(expected, good), null));

test('a sum that another method had to finish is taken, and an excess up to the tolerance', () => {
  for (const change of [
    { method: 'accumulated', blocks: 9, excess: 1.001 - 1, energyTotalError: 0.1 },
    { method: 'dense', converged: false, fallbackFrom: 'factored', blocks: 40 },
  ])
    assert.equal(checkTaskResult(expected, withModule(change)), null);
});

const WRONG: readonly (readonly [what: string, result: TaskResult])[] = [
  ['a size that is not the layout’s', { ...good, bytes: good.bytes + 4 }],
  ['a component digest too few', { ...good, componentDigests: good.componentDigests.slice(1) }],
  ['no modules', { ...good, modules: [] }],
  ['a module of another task', withModule({ name: 'other' as ModuleName })],
  ['the rank of the run where the module has less', withModule({ rank: 8 })],
  ['a spectrum that is too short', withModule({ spectrum: [3, 2, 1] })],
  ['a spectrum that rises', withModule({ spectrum: [3, 2, 2.5, 0] })],
  ['a negative singular value', withModule({ spectrum: [3, 2, 1, -1] })],
  ['NaN in a spectrum', withModule({ spectrum: [3, Number.NaN, 1, 0] })],
  ['infinity in a spectrum', withModule({ spectrum: [Number.POSITIVE_INFINITY, 2, 1, 0] })],
  ['an energy that is not finite', withModule({ energyTotal: Number.POSITIVE_INFINITY })],
  ['a residual that is NaN', withModule({ residual: Number.NaN })],
  ['an energy that is known to no finite error', withModule({ energyTotalError: Number.POSITIVE_INFINITY })],
  ['half a block', withModule({ blocks: 1.5 })],
  ['a number of bytes below zero', withModule({ scratchBytes: -1 })],
  ['a method that the kernel does not have', withModule({ method: 'guessed' })],
  ['a place taken from a method that the kernel does not have', withModule({ fallbackFrom: '', converged: false })],
  ['a sum that did not converge and that nothing took the place of', withModule({ converged: false })],
  ['a sum that converged although another took its place', withModule({ fallbackFrom: 'factored' })],
  ['the tolerance of another task', withModule({ tolerance: 1.01 })],
  ['an excess that is NaN', withModule({ excess: Number.NaN })],
  ['an excess above the tolerance', withModule({ excess: 0.0011 })],
];

for (const [what, result] of WRONG) {
  test(`${what} is refused`, () => {
    const refusal = checkTaskResult(expected, result);
    assert.equal(refusal?.reason, 'badTensor');
    assert.match(refusal.message, /is .*; the task's modules allow /);
  });
}

test('a spectrum that f64 holds and the object’s f32 does not is refused: it was taken, and the object held infinities', () => {
  for (const sigma of [1e40, 3.5e38]) {
    const refusal = checkTaskResult(expected, withModule({ spectrum: [sigma, 2, 1, 0] }));
    assert.equal(refusal?.reason, 'badNumber');
    assert.match(
      refusal.message,
      /^module .*: an update diverged: singular value 0 of the sum is .*; allowed: 0 to 1\.7e\+38/,
    );
  }
  assert.equal(checkTaskResult(expected, withModule({ spectrum: [1e38, 2, 1, 0] })), null);
});
