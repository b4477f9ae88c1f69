import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { runTranscript } from './transcript.ts';

/** Each file of `testdata/` is a scenario. `UPDATE_TRANSCRIPTS=1` writes what the machine says today: read the diff before it is kept. */
const folder = new URL('./testdata/', import.meta.url);
const scenarios = readdirSync(folder).filter((name) => name.endsWith('.txt'));

test('there are scenarios', () =>
  assert.ok(scenarios.length >= 12, `found ${scenarios.length} scenarios in ${folder.pathname}`));

for (const name of scenarios) {
  test(`scenario ${name.replace('.txt', '').replaceAll('-', ' ')}`, () => {
    const file = new URL(name, folder);
    const expected = readFileSync(file, 'utf8');
    const actual = runTranscript(expected);
    assert.ok(!actual.includes('BROKEN:'), actual);
    if (process.env['UPDATE_TRANSCRIPTS'] === '1') writeFileSync(file, actual);
    else assert.equal(actual, expected);
  });
}
