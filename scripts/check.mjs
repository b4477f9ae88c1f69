// `npm run check`: types, lint and format, contracts, generated code, floors. Runs all, then says what failed.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { node24, root, setUp } from './set-up.mjs';

setUp();
const bin = (name) => join(root, 'node_modules', '.bin', name);
const steps = [
  ['types', bin('tsc'), ['-p', 'tsconfig.json']],
  ['lint and format', bin('biome'), ['ci', '--error-on-warnings', '.']],
  ['contracts: lint', bin('buf'), ['lint']],
  ['contracts: breaking changes', bin('buf'), ['breaking', '--against', 'proto/baseline.binpb']],
  ['floors, sizes, names, generated code', node24, ['--test', 'test/tidy/*.test.ts']],
  ['Rust: format', 'cargo', ['fmt', '--all', '--check']],
  ['Rust: lint', 'cargo', ['clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings']],
];
const failed = [];
for (const [name, command, args] of steps) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (result.error?.code === 'ENOENT' && command === 'cargo')
    console.log(`–  ${name}: left out, Rust is not installed`);
  else if (result.status === 0) console.log(`ok ${name}`);
  else {
    failed.push(name);
    console.log(`✗  ${name}\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`);
  }
}
console.log(failed.length === 0 ? 'everything holds' : `does not hold: ${failed.join('; ')}`);
process.exit(failed.length === 0 ? 0 : 1);
