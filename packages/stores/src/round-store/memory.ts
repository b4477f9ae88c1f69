import type { EventId, RunId } from '@flexlora/core';
import { assertCommitTexts, assertEventId, assertHolder, assertInboxRead, assertTtlMs } from './limits.ts';
import {
  type CommitBatch,
  INBOX_EVENTS_MAX,
  type Lease,
  type OfferedEvent,
  REPLY_TTL_MS,
  type RoundStore,
  type StoreSignal,
} from './port.ts';

export interface MemoryRoundStoreOptions {
  /** The store's clock in milliseconds; leases and replies run out by it. */
  readonly now: () => number;
  readonly inboxEventsMax?: number;
  readonly replyTtlMs?: number;
}

interface RunRecord {
  epoch: number;
  lease: { readonly epoch: number; readonly holder: string; readonly untilMs: number } | null;
  version: number;
  readonly fields: Map<string, string>;
  inbox: OfferedEvent[];
  /** Events that wait in the inbox. */
  readonly queued: Set<EventId>;
  /** Consumed events, in the order in which they are forgotten; `reply` is null for one without. */
  readonly consumed: Map<EventId, { readonly reply: string | null; readonly untilMs: number }>;
}

/** Runs in this process' heap: for one process with embedded stores, and for tests. It ends with the process. */
export function createMemoryRoundStore(options: MemoryRoundStoreOptions): RoundStore {
  const { now, inboxEventsMax = INBOX_EVENTS_MAX, replyTtlMs = REPLY_TTL_MS } = options;
  const runs = new Map<RunId, RunRecord>();
  const listeners = new Set<{ readonly listener: (signal: StoreSignal) => void }>();

  /** After the call that caused it has answered, as over a network. */
  function tell(signal: StoreSignal): void {
    queueMicrotask(() => {
      for (const { listener } of listeners) listener(signal);
    });
  }

  function heldBy(lease: Lease): RunRecord | null {
    const run = runs.get(lease.runId);
    const held = run?.lease;
    if (run === undefined || held === null || held === undefined || held.untilMs <= now()) return null;
    return held.epoch === lease.epoch && held.holder === lease.holder && run.epoch === lease.epoch ? run : null;
  }

  function forgetOldEvents(run: RunRecord): void {
    for (const [eventId, { untilMs }] of run.consumed) {
      if (untilMs > now()) return;
      run.consumed.delete(eventId);
    }
  }

  function consume(run: RunRecord, batch: CommitBatch): void {
    const untilMs = now() + replyTtlMs;
    const remember = (eventId: EventId, reply: string | null): void => {
      run.queued.delete(eventId);
      run.consumed.delete(eventId); // moves it to the end of the order
      run.consumed.set(eventId, { reply, untilMs });
    };
    for (const { eventId } of run.inbox.slice(0, batch.consumed)) remember(eventId, null);
    for (const { eventId, body } of batch.replies) remember(eventId, body);
    run.inbox = run.inbox.slice(batch.consumed);
  }

  return {
    async createRun(runId) {
      if (runs.has(runId)) return 'exists';
      const empty = { fields: new Map(), inbox: [], queued: new Set<EventId>(), consumed: new Map() };
      runs.set(runId, { epoch: 0, lease: null, version: 0, ...empty });
      return 'created';
    },

    listRuns: async () => [...runs.keys()],

    async acquireLease(runId, holder, ttlMs) {
      assertHolder(holder);
      assertTtlMs(ttlMs);
      const run = runs.get(runId);
      if (run === undefined) return { kind: 'unknownRun' };
      const heldMs = run.lease === null ? 0 : run.lease.untilMs - now();
      if (heldMs > 0) return { kind: 'held', forMs: heldMs };
      run.epoch += 1;
      run.lease = { epoch: run.epoch, holder, untilMs: now() + ttlMs };
      return { kind: 'granted', lease: { runId, holder, epoch: run.epoch } };
    },

    async renewLease(lease, ttlMs) {
      assertTtlMs(ttlMs);
      const run = heldBy(lease);
      if (run === null) return false;
      run.lease = { epoch: lease.epoch, holder: lease.holder, untilMs: now() + ttlMs };
      return true;
    },

    async releaseLease(lease) {
      const run = heldBy(lease);
      if (run === null) return;
      run.lease = null;
      tell({ kind: 'released', runId: lease.runId });
    },

    async offer(runId, event) {
      assertEventId(event.eventId);
      const run = runs.get(runId);
      if (run === undefined) return 'unknownRun';
      forgetOldEvents(run);
      if (run.queued.has(event.eventId) || run.consumed.has(event.eventId)) return 'repeated';
      if (run.inbox.length >= inboxEventsMax) return 'full';
      run.queued.add(event.eventId);
      run.inbox.push({ eventId: event.eventId, body: event.body });
      tell({ kind: 'offered', runId });
      return 'queued';
    },

    async readInbox(runId, max) {
      assertInboxRead(max);
      return runs.get(runId)?.inbox.slice(0, max) ?? [];
    },

    async readReply(runId, eventId) {
      const known = runs.get(runId)?.consumed.get(eventId);
      return known !== undefined && known.untilMs > now() ? known.reply : null;
    },

    async readState(runId) {
      const run = runs.get(runId);
      return run === undefined || run.version === 0 ? null : { version: run.version, fields: new Map(run.fields) };
    },

    async readFields(runId, fields) {
      const run = runs.get(runId);
      return { version: run?.version ?? 0, values: fields.map((field) => run?.fields.get(field) ?? null) };
    },

    async commit(lease, batch) {
      assertCommitTexts(batch.drop.length + 2 * batch.put.size + 2 * batch.replies.length);
      const run = heldBy(lease);
      if (run === null || run.version !== batch.expectedVersion) return 'fenced';
      for (const field of batch.drop) run.fields.delete(field);
      for (const [field, value] of batch.put) run.fields.set(field, value);
      forgetOldEvents(run);
      consume(run, batch);
      run.version += 1;
      tell({ kind: 'committed', runId: lease.runId, version: run.version });
      return 'committed';
    },

    async subscribe(listener) {
      const entry = { listener };
      listeners.add(entry);
      return () => {
        listeners.delete(entry);
      };
    },

    checkReady: async () => {},

    async close() {
      listeners.clear();
    },
  };
}
