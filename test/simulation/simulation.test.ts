import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIGHTS } from './checks/state-watch.ts';
import { CALL_FAULTS, type FaultKind } from './faults/fault-plan.ts';
import { runSeed } from './seeds/run-seed.ts';
import { runSeeds } from './seeds/run-seeds.ts';

/** `SIM_SEED=<n>` plays others; `SIM_SEEDS=<n>` more or fewer of them. CI plays a thousand besides. */
const from = Number(process.env['SIM_SEED'] ?? 1);
const count = Number(process.env['SIM_SEEDS'] ?? 200);
console.log(`SIM_SEED=${from} SIM_SEEDS=${count}`);

const WORLD_FAULTS: readonly FaultKind[] = [
  'crash',
  'pause',
  'storeAway',
  'storeFull',
  'storeSlow',
  'roundStoreLost',
  'roundStoreRolledBack',
  'leasesLost',
  'diskFull',
  'cutOff',
  'operator',
];

test('whatever fails, nothing acknowledged is lost or counted twice, and every run comes to its end', async () => {
  const { failed, struck, seen, seeds, acknowledged } = await runSeeds({ from, count });
  assert.deepEqual(
    failed.map(({ seed, broken }) => `node test/simulation/run.ts --seed ${seed} --trace: ${broken[0]}`),
    [],
    `${failed.length} of ${seeds} seeds failed`,
  );
  // Otherwise all would be well for want of anything that happens.
  for (const kind of [...CALL_FAULTS, ...WORLD_FAULTS])
    assert.ok((struck.get(kind) ?? 0) >= count / 100, `${kind} struck in ${struck.get(kind) ?? 0} of ${count} seeds`);
  for (const what of SIGHTS)
    assert.ok((seen.get(what) ?? 0) > 0 || count < 1_000, `no seed of ${count} has seen ${what}`);
  assert.ok((seen.get('takeover') ?? 0) >= count / 20, `takeovers in ${seen.get('takeover') ?? 0} of ${count} seeds`);
  assert.ok((seen.get('recovery') ?? 0) >= count / 50, `recoveries in ${seen.get('recovery') ?? 0} of ${count} seeds`);
  assert.ok(acknowledged >= 3 * count, `${acknowledged} updates were acknowledged in ${count} seeds`);
});

test('a seed gives the same steps each time it is played', async () => {
  for (const seed of [3, 15, 21]) {
    const traces = await Promise.all([traceOf(seed), traceOf(seed)]);
    assert.deepEqual(traces[0], traces[1], `seed ${seed}`);
    assert.ok(traces[0].length > 50, `seed ${seed} tells ${traces[0].length} lines`);
  }
});

async function traceOf(seed: number): Promise<readonly string[]> {
  const lines: string[] = [];
  const { steps, broken } = await runSeed(seed, (line) => lines.push(line));
  return [...lines, `${steps} steps`, ...broken];
}
