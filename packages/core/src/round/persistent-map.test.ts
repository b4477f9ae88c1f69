import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changedKeys, compareKeys, persistentMap, sortedEntries, withEntry, withoutEntry } from './persistent-map.ts';

const changes = fc.array(
  fc.record({ key: fc.string({ maxLength: 3 }), value: fc.option(fc.integer(), { nil: null }) }),
  { maxLength: 60 },
);

test('it holds what a Map holds after the same changes, and what came before is left as it was', () => {
  fc.assert(
    fc.property(changes, changes, (first, second) => {
      const model = new Map<string, number>();
      let map: ReadonlyMap<string, number> = persistentMap<string, number>();
      const apply = (list: typeof first): void => {
        for (const { key, value } of list) {
          map = value === null ? withoutEntry(map, key) : withEntry(map, key, value);
          if (value === null) model.delete(key);
          else model.set(key, value);
        }
      };
      apply(first);
      const [before, entries] = [map, sortedEntries(map)];
      apply(second);
      assert.deepEqual(sortedEntries(map), sortedEntries(model));
      assert.equal(map.size, model.size);
      assert.deepEqual([...map.keys()].sort(compareKeys), [...model.keys()].sort(compareKeys));
      assert.deepEqual(sortedEntries(before), entries);
      const differing = new Set([...before.keys(), ...map.keys()].filter((key) => before.get(key) !== map.get(key)));
      assert.deepEqual([...changedKeys(before, map)].sort(compareKeys), [...differing].sort(compareKeys));
      assert.deepEqual([...changedKeys(new Map(before), map)].sort(compareKeys), [...differing].sort(compareKeys));
    }),
  );
});

test('setting the value that is there, or removing what is not, gives the same map', () => {
  const map = persistentMap([['a', 1]]);
  assert.equal(withEntry(map, 'a', 1), map);
  assert.equal(withoutEntry(map as ReadonlyMap<string, number>, 'b'), map);
});
