import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ChaosReport } from './recovery-table.ts';
import { RECOVERING_PAGE, tableIn, withTable } from './write-docs.ts';

const report = (lost: number): ChaosReport => ({
  seed: 5,
  rounds: 6,
  faults: [
    {
      number: 1,
      hit: 'Redis emptied (FLUSHALL)',
      action: 'flush',
      when: 'agent-1 uploads',
      round: 2,
      awayMs: 0,
      recoveredMs: 3_210,
      takeoverMs: null,
      bytesResent: 3 << 20,
      trainedAgain: 1,
      updatesLost: lost,
      updatesCountedTwice: 0,
    },
  ],
  updatesAcknowledged: 48,
  updatesLost: lost,
  updatesCountedTwice: 0,
  adapterDigest: { undisturbed: 'd', disturbed: 'd' },
  takeoverMsMax: null,
  seconds: { undisturbed: 1, disturbed: 2 },
  failures: [],
});

test('the page about recovering has its markers, with a table of a run in which nothing was lost between them', () => {
  const table = tableIn(readFileSync(RECOVERING_PAGE, 'utf8'));
  assert.ok(table !== null, `${RECOVERING_PAGE} lacks its markers`);
  assert.match(table, /npm run test:chaos -- --faults \d+ --rounds \d+ --seed \d+/);
  assert.match(table, / updates acknowledged, 0 lost, 0 counted twice\./);
  assert.match(table, /The last adapter is that of the undisturbed run/);
  assert.match(table, /\| what was hit \| when \| away \| time to recover \|/);
});

test('the table is written between the markers, again and again, and the rest of the page stays', () => {
  const page = readFileSync(RECOVERING_PAGE, 'utf8');
  const once = withTable(page, report(0));
  const twice = withTable(once, report(2));
  assert.match(
    once,
    /\| Redis emptied \(FLUSHALL\) \| round 2, agent-1 uploads \| 0\.0 s \| 3\.2 s \| – \| 3\.0 MiB \| 1 \| 0 \| 0 \|/,
  );
  assert.match(twice, /48 updates acknowledged, 2 lost/);
  assert.doesNotMatch(twice, /48 updates acknowledged, 0 lost/);
  const rest = (text: string): string => text.replace(/(<!-- recovery table[^>]*-->).*(<!-- end of)/s, '$1$2');
  assert.equal(rest(twice), rest(page));
});

test('a page without its markers is not written', () => {
  const page = readFileSync(RECOVERING_PAGE, 'utf8');
  assert.throws(() => withTable('# Recovering', report(0)), /lacks its markers/);
  assert.throws(() => withTable(`${page}${page}`, report(0)), /lacks its markers/);
});
