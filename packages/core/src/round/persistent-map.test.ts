import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  changedKeys,
  compareKeys,
  persistentMap,
  type Summaries,
  sortedEntries,
  summarise,
  withEntry,
  withoutEntry,
} from './persistent-map.ts';

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

test('summaries of the parts tell of the whole map, and unchanged parts are not looked at again', () => {
  const known: Summaries<number, number> = new WeakMap();
  let looks = 0;
  const sum = (map: ReadonlyMap<string, number>): number =>
    summarise(map, known, (part) => {
      looks += 1;
      return [...part.values()].reduce((total, value) => total + value, 0);
    }).reduce((total, value) => total + value, 0);
  const map: ReadonlyMap<string, number> = persistentMap(
    Array.from({ length: 1000 }, (_, i) => [`key-${i}`, i] as const),
  );
  assert.equal(sum(map), 499_500);
  looks = 0;
  assert.equal(sum(withEntry(map, 'key-7', 1007)), 500_500);
  assert.equal(sum(withoutEntry(map, 'key-7')), 499_493);
  assert.equal(looks, 2);
  assert.equal(sum(new Map(map)), 499_500);
});
