import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { referencePages } from '../../scripts/reference-pages.ts';
import { root } from './tracked-files.ts';

const filesUnder = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

test('the generated contracts are those of the proto files', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'flexlora-gen-'));
  try {
    const template = readFileSync(join(root, 'buf.gen.yaml'), 'utf8').replace(
      'out: packages/contracts/src/gen',
      `out: ${scratch}/gen`,
    );
    const templateFile = join(scratch, 'buf.gen.yaml');
    writeFileSync(templateFile, template);
    execFileSync(join(root, 'node_modules', '.bin', 'buf'), ['generate', '--template', templateFile], { cwd: root });
    const committed = join(root, 'packages', 'contracts', 'src', 'gen');
    assert.deepEqual(
      filesUnder(committed),
      filesUnder(join(scratch, 'gen')),
      'other files than the proto files give: run npm run gen',
    );
    for (const file of filesUnder(committed)) {
      const same = readFileSync(join(committed, file), 'utf8') === readFileSync(join(scratch, 'gen', file), 'utf8');
      assert.ok(same, `${file} is not what its proto file gives: run npm run gen`);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

test('the reference pages are those of the catalogues in the code', () => {
  const pages = Object.entries(referencePages());
  assert.ok(pages.length > 0);
  for (const [file, text] of pages) {
    const path = join(root, file);
    assert.ok(existsSync(path), `${file} is not there: run npm run gen`);
    assert.ok(readFileSync(path, 'utf8') === text, `${file} is not what the code gives: run npm run gen`);
  }
});
