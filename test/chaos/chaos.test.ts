import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Fault, Moment } from './plan/fault-catalogue.ts';
import type { PlannedFault } from './plan/plan-faults.ts';
import { reportOf } from './report/recovery-table.ts';
import { folderOf, runUnderFaults } from './run-under-faults.ts';
import { NoStores } from './world/stores.ts';

/** One more than faults: none comes in the last round but as a last resort. */
const [ROUNDS, SEED] = [4, 20];

const fault = (number: number, { action, target }: Fault, moment: Moment): PlannedFault => ({
  number,
  action,
  target,
  moment,
  round: number,
  awayMs: 500,
  afterMs: 0,
  draw: 0.9,
  next: 'waits',
});
const PLAN = [
  fault(1, { action: 'kill', target: 'leaseHolder' }, 'commit'),
  fault(2, { action: 'flush', target: 'redis' }, 'upload'),
  fault(3, { action: 'kill', target: 'workingAggregator' }, 'aggregate'),
];

test('the orchestrator that holds the run dies, Redis is emptied, an aggregator dies with a task: nothing is lost, and the adapter is the same', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'flexlora-chaos-test-'));
  const told: string[] = [];
  const run = (name: 'calm' | 'disturbed', plan: readonly PlannedFault[]) =>
    runUnderFaults(
      { directory: folderOf(directory, name), rounds: ROUNDS, seed: SEED, plan, tell: (line) => void told.push(line) },
      t.signal,
    );
  try {
    const calm = await run('calm', []);
    const disturbed = await run('disturbed', PLAN);
    const report = reportOf(disturbed, calm, { rounds: ROUNDS, seed: SEED });
    assert.deepEqual(report.failures, [], told.join('\n'));
    assert.equal(report.updatesAcknowledged, 8 * ROUNDS, 'every agent heard of every one of its updates');
    assert.deepEqual(
      report.faults.map(({ hit }) => hit),
      [
        'the orchestrator that holds the run killed (SIGKILL)',
        'Redis emptied (FLUSHALL)',
        'an aggregator with a task killed (SIGKILL)',
      ],
    );
    // Digests of adapters can only tell a wrong one when they differ from round to round.
    assert.equal(new Set(calm.published.map(({ adapterDigest }) => adapterDigest)).size, ROUNDS + 1);
  } catch (error) {
    if (!(error instanceof NoStores)) throw error;
    t.skip(error.message);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
