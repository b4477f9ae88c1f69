import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { EventId, RunId } from '@flexlora/core';
import { type CommitBatch, type Lease, leaseOf, type OfferedEvent, type RoundStore } from '../port.ts';

export interface RoundStoreHarnessOptions {
  readonly inboxEventsMax?: number;
  readonly replyTtlMs?: number;
}

/** One backend under test. */
export interface RoundStoreHarness {
  /** A client of the backend; where one process is all there is, always the same. */
  open(): RoundStore;
  /** Lets so much of the store's time pass. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

export type OpenRoundStoreHarness = (options: RoundStoreHarnessOptions) => RoundStoreHarness;

/** Two clients of one backend and a run of its own. */
export interface Scene {
  readonly store: RoundStore;
  readonly other: RoundStore;
  readonly runId: RunId;
  /** Another run, made known. */
  newRun(): Promise<RunId>;
  /** The run's lease, which must be free, for as long as the test lasts. */
  lease(runId?: RunId): Promise<Lease>;
  /** A lease that soon runs out, once `use` has come true under it: taken anew where it ran out before. */
  shortLease(runId: RunId, holder: string, use: (lease: Lease) => Promise<boolean>): Promise<Lease>;
  /** Asks again and again, letting time pass in between, until the answer is true. */
  until(what: string, condition: () => Promise<boolean>): Promise<void>;
}

/** So short that a real server's clock passes it while a test polls. */
export const SHORT_MS = 60;
export const LONG_MS = 10 * 60_000;
const POLL_MS = 10;
const POLLS_MAX = 3_000;

export function scene(openHarness: OpenRoundStoreHarness, options: RoundStoreHarnessOptions = {}) {
  return (play: (scene: Scene) => Promise<void>) => async (): Promise<void> => {
    const harness = openHarness(options);
    try {
      const store = harness.open();
      const newRun = async (): Promise<RunId> => {
        const runId = `suite-${randomUUID()}` as RunId;
        await store.createRun(runId);
        return runId;
      };
      const runId = await newRun();
      const until: Scene['until'] = async (what, condition) => {
        for (let poll = 0; poll < POLLS_MAX; poll += 1) {
          if (await condition()) return;
          await harness.advance(POLL_MS);
        }
        assert.fail(`never came true: ${what}`);
      };
      await play({
        store,
        other: harness.open(),
        runId,
        newRun,
        async lease(leased = runId) {
          const lease = leaseOf(await store.acquireLease(leased, 'holder-1', LONG_MS));
          assert.ok(lease !== null, 'the lease of a new run is free');
          return lease;
        },
        async shortLease(leased, holder, use) {
          let lease: Lease | null = null;
          await until('a short lease was used while it held', async () => {
            lease = leaseOf(await store.acquireLease(leased, holder, SHORT_MS));
            return lease !== null && (await use(lease));
          });
          return lease as unknown as Lease;
        },
        until,
      });
    } finally {
      await harness.close();
    }
  };
}

export const event = (id: string, body = `body of ${id}`): OfferedEvent => ({ eventId: id as EventId, body });

/** A batch that changes nothing but the version, and what is said otherwise. */
export const batch = (expectedVersion: number, changes: Partial<CommitBatch> = {}): CommitBatch => ({
  expectedVersion,
  put: new Map(),
  drop: [],
  consumed: 0,
  replies: [],
  ...changes,
});
