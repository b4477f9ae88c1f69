import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertObjectName, assertObjectPrefix, compareNames, NAME_SEGMENT_BYTES_MAX } from './object-name.ts';

test('names of the platform and any text in them are allowed', () => {
  for (const name of [
    'runs/demo/spec.json',
    'a',
    'é/日本/🦙 x',
    '.hidden',
    '...',
    'a..b/c',
    'x'.repeat(NAME_SEGMENT_BYTES_MAX),
  ])
    assertObjectName(name);
});

test('names that could leave a directory or are kept apart by one store only are stopped', () => {
  const bad = ['', '/', 'a/', '/a', 'a//b', '.', '..', '../a', 'a/../b', 'a/.', 'a\\b', 'a\nb', 'a\u0000', '\ud800'];
  for (const name of [...bad, 'x'.repeat(NAME_SEGMENT_BYTES_MAX + 1), `${'x'.repeat(100)}/`.repeat(9)])
    assert.throws(() => assertObjectName(name), RangeError, JSON.stringify(name));
});

test('every beginning of a name is a prefix, and a prefix cannot climb', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'bc', '.x', 'é'), { minLength: 1, maxLength: 4 }),
      fc.nat(12),
      (parts, cut) => {
        const name = parts.join('/');
        assertObjectName(name);
        assertObjectPrefix(name.slice(0, cut));
      },
    ),
  );
  for (const prefix of ['../', 'a/../', '/', 'a//', 'a\\'])
    assert.throws(() => assertObjectPrefix(prefix), RangeError, prefix);
});

test('names are ordered by the bytes of UTF-8', () => {
  const ordered = ['a', 'a-b', 'a.b', 'a/b', 'a0', '\ue000', '\uffff', '🦙'];
  assert.deepEqual([...ordered].reverse().sort(compareNames), ordered);
  assert.notDeepEqual([...ordered].sort(), ordered, 'JavaScript’s own order is another');
});
