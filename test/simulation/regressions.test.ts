import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { FaultPlan } from './faults/fault-plan.ts';
import { runPlan } from './seeds/run-seed.ts';

/**
 * Every bug that the simulation found, as the plan of faults that showed it and not as its seed: a seed draws other faults as soon as the
 * drawing changes. A file is named after what now holds; `node test/simulation/run.ts --plan <file> --trace` plays it.
 */
const folder = new URL('./testdata/', import.meta.url);

for (const file of readdirSync(folder).sort()) {
  test(file.replace('.json', '').replaceAll('-', ' '), async () => {
    const plan = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as FaultPlan;
    assert.deepEqual((await runPlan(plan)).broken, []);
  });
}
