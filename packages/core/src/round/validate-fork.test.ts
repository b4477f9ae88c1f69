import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunId } from '../ids.ts';
import { exampleDigest, exampleSpec } from './example-run.ts';
import type { RunSpec } from './run-spec.ts';
import { validateFork } from './validate-fork.ts';

const fork = (change: Partial<RunSpec>): RunSpec => ({ ...exampleSpec, runId: 'fork' as RunId, ...change });

test('a fork may have other policies, and begins with what its origin trained', () => {
  const { rank, cohort, baseModel, modules } = exampleSpec;
  const changed = fork({ rounds: 9, rank: { ...rank, tiers: [4] }, cohort: { ...cohort, late: 'carry' } });
  assert.equal(validateFork(changed, exampleSpec), null);
  const refused: readonly (readonly [Partial<RunSpec>, string, RegExp])[] = [
    [{ baseModel: { ...baseModel, digest: exampleDigest('other') } }, 'baseMismatch', /that of run example/],
    [{ rank: { ...rank, max: 16 } }, 'badSpec', /rank\.max is 16; allowed: 8/],
    [{ modules: modules.slice(1) }, 'badSpec', /modules\[0\] is .*up_proj.*; allowed: the 4 modules/],
    [{ modules: modules.slice(0, 3) }, 'badSpec', /modules is a list of 3; allowed: the 4 modules/],
  ];
  for (const [change, reason, message] of refused) {
    const refusal = validateFork(fork(change), exampleSpec);
    assert.equal(refusal?.reason, reason);
    assert.match(refusal?.message ?? '', message);
  }
});
