// `npm test`: sets a fresh clone up, runs every test, and ends with a line "N passed, N failed, N skipped".
// Arguments are test files or globs; without any, everything runs: TypeScript, then Rust when cargo is there.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { node24, root, setUp } from './set-up.mjs';

const EVERYTHING = [
  'packages/*/src/**/*.test.ts',
  'crates/*/src/**/*.test.ts',
  'services/*/src/**/*.test.ts',
  'cli/src/**/*.test.ts',
  'trainers/embedded/**/*.test.ts',
  'test/**/*.test.ts',
];

setUp();
const asked = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };

const scratch = mkdtempSync(join(tmpdir(), 'flexlora-test-'));
const counts = join(scratch, 'counts.json');
const typescript = spawnSync(
  node24,
  [
    '--test',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts', 'count-reporter.mjs')}`,
    `--test-reporter-destination=${counts}`,
    ...(asked.length > 0 ? asked : EVERYTHING),
  ],
  { cwd: root, stdio: 'inherit' },
);
try {
  const told = JSON.parse(readFileSync(counts, 'utf8'));
  total.passed += told.passed;
  total.failed += told.failed;
  total.skipped += told.skipped;
} catch (error) {
  console.error(`the test runner left no counts: ${error.message}`);
  total.failed += 1;
}
rmSync(scratch, { recursive: true, force: true });
if (typescript.status !== 0 && total.failed === 0) total.failed += 1;

if (asked.length === 0) {
  const cargo = spawnSync('cargo', ['test', '--release', '--workspace', '--quiet'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 << 20,
  });
  if (cargo.error?.code === 'ENOENT') console.log('Rust is not installed: the tests of the Rust kernel are left out.');
  else {
    process.stdout.write(cargo.stdout);
    for (const [, passed, failed, ignored] of cargo.stdout.matchAll(
      /test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/g,
    )) {
      total.passed += Number(passed);
      total.failed += Number(failed);
      total.skipped += Number(ignored);
    }
    if (cargo.status !== 0 && !/; [1-9]\d* failed/.test(cargo.stdout)) total.failed += 1;
  }
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
