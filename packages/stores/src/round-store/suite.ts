import { describe } from 'node:test';
import { commitTests } from './suite/commits.ts';
import { inboxTests } from './suite/inbox.ts';
import { leaseTests } from './suite/leases.ts';
import { runTests } from './suite/runs.ts';
import type { OpenRoundStoreHarness } from './suite/scene.ts';
import { signalTests } from './suite/signals.ts';

export type { OpenRoundStoreHarness, RoundStoreHarness, RoundStoreHarnessOptions } from './suite/scene.ts';

/** What every round store does, as tests: each sentence of `port.ts` has one. */
export function roundStoreSuite(name: string, openHarness: OpenRoundStoreHarness): void {
  describe(`round store: ${name}`, { timeout: 120_000 }, () => {
    runTests(openHarness);
    leaseTests(openHarness);
    inboxTests(openHarness);
    commitTests(openHarness);
    signalTests(openHarness);
  });
}
