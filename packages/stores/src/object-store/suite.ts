import { describe } from 'node:test';
import { listTests } from './suite/lists.ts';
import { objectTests } from './suite/objects.ts';
import { rangeTests } from './suite/ranges.ts';
import type { OpenObjectStoreHarness } from './suite/scene.ts';
import { uploadTests } from './suite/uploads.ts';

export type { ObjectStoreHarness, OpenObjectStoreHarness } from './suite/scene.ts';

/** What every object store does, as tests: each sentence of `port.ts` has one. */
export function objectStoreSuite(name: string, openHarness: OpenObjectStoreHarness): void {
  describe(`object store: ${name}`, { timeout: 300_000 }, () => {
    objectTests(openHarness);
    rangeTests(openHarness);
    listTests(openHarness);
    uploadTests(openHarness);
  });
}
