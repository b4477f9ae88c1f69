import assert from 'node:assert/strict';
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { test } from 'node:test';
import { bytesPassed } from './young-collection.ts';

/** An entry of type gc. */
interface GarbageCollection extends PerformanceEntry {
  readonly detail: { readonly kind: number };
}

test('bytes that passed are collected as young ones', async () => {
  const kinds: unknown[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) kinds.push((entry as GarbageCollection).detail.kind);
  });
  observer.observe({ entryTypes: ['gc'] });
  // Nothing else fills the young generation between two looks.
  for (let n = 0; n < 128; n += 1) bytesPassed(1 << 20);
  while (kinds.length < 8) await new Promise((resolve) => setImmediate(resolve));
  observer.disconnect();
  assert.ok(kinds.every((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR));
});
