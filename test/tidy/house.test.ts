import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { test } from 'node:test';
import { root, trackedFiles } from './tracked-files.ts';

const LINES_MAX = 400;
const CODE = /\.(ts|mjs|rs|py|lua|proto)$/;
const read = (file: string): string => readFileSync(resolve(root, file), 'utf8');

test(`no source file has more than ${LINES_MAX} lines`, () => {
  const faults = trackedFiles(CODE)
    .filter((file) => !file.includes('/gen/'))
    .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
    .filter(({ lines }) => lines > LINES_MAX)
    .map(({ file, lines }) => `${file} has ${lines} lines; allowed: ${LINES_MAX}: split it where the idea splits`);
  assert.deepEqual(faults, [], faults.join('\n'));
});

test('files are named in kebab-case and folders after the domain, never after a kind', () => {
  const kinds = new Set(['utils', 'util', 'types', 'helpers', 'common', 'misc', 'lib', 'shared']);
  const faults: string[] = [];
  for (const file of trackedFiles(/\.(ts|mjs|lua)$/)) {
    if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*$/.test(basename(file)) && !file.includes('/gen/'))
      faults.push(`${file}: name it in kebab-case after its main export`);
    const kind = dirname(file)
      .split('/')
      .find((folder) => kinds.has(folder));
    if (kind !== undefined) faults.push(`${file}: the folder "${kind}" is a kind; name it after what it is about`);
  }
  assert.deepEqual(faults, [], faults.join('\n'));
});

test('nothing names a machine of ours or a package registry', () => {
  // Put together here, so that this file does not match itself.
  const banned = new RegExp(
    [
      'registry\\.np' + 'mjs',
      'pypi\\.org/' + 'simple',
      'proxy\\.go' + 'lang',
      '(?<![\\w.])/wo' + 'rk/',
      'static\\.cra' + 'tes',
    ].join('|'),
  );
  const faults = trackedFiles(/\.(ts|mjs|rs|py|sh|md|json|toml|ya?ml|lua|proto)$|^\.ci\//).flatMap((file) => {
    const match = banned.exec(read(file));
    return match === null ? [] : [`${file} names ${match[0]}: leave hosts and machine paths out`];
  });
  assert.deepEqual(faults, [], faults.join('\n'));
});

test('every relative link in the docs leads to a file', () => {
  const faults: string[] = [];
  for (const file of trackedFiles(/\.md$/)) {
    for (const [, target = ''] of read(file).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const path = resolve(root, dirname(file), target);
      if (
        trackedFiles(/./).every(
          (known) => resolve(root, known) !== path && !resolve(root, known).startsWith(`${path.replace(/\/$/, '')}/`),
        )
      )
        faults.push(`${file} links to ${target}, which is not there`);
    }
  }
  assert.deepEqual(faults, [], faults.join('\n'));
});

test('every path that ARCHITECTURE.md names is there', () => {
  const known = trackedFiles(/./);
  const named = [
    ...read('ARCHITECTURE.md').matchAll(/`((?:packages|services|crates|cli|test|trainers|proto|docs)\/[^`*\s]*)`/g),
  ].map(([, path = '']) => path);
  assert.ok(named.length > 20, `found ${named.length} paths: the pattern no longer fits the page`);
  const gone = named.filter(
    (path) =>
      !path.startsWith('services/*') &&
      !known.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, '')}/`)),
  );
  assert.deepEqual(gone, [], `ARCHITECTURE.md names what is not there: ${gone.join(', ')}`);
});

test('tests are not switched off', () => {
  const off = new RegExp(`\\.(on${'ly'}|to${'do'})\\(|@ts-ig${'nore'}|@ts-expect-er${'ror'}`);
  const faults = trackedFiles(/\.ts$/)
    .filter((file) => !file.includes('/gen/') && off.test(read(file)))
    .map((file) => `${file} switches something off: mend it or take it out`);
  assert.deepEqual(faults, [], faults.join('\n'));
});
