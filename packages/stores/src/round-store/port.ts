import { type EventId, Fault, type RunId } from '@flexlora/core';

/**
 * Where the facts of runs live. It keeps leases, an inbox of events, the state as named text fields, and replies; it decides nothing
 * and does not know what the texts mean.
 *
 * A backend's fault (no connection, a time-out, a full store) is thrown as {@link RoundStoreFault}; everything else is an answer.
 */
export interface RoundStore {
  /** Makes a run known. Twice is once. */
  createRun(runId: RunId): Promise<'created' | 'exists'>;
  /** Every run, in no order. */
  listRuns(): Promise<readonly RunId[]>;

  /**
   * Takes the run's lease when nobody holds it, or when its holder let it run out. Each grant has a larger epoch than every one before,
   * also after the store was restarted with its data.
   */
  acquireLease(runId: RunId, holder: string, ttlMs: number): Promise<LeaseAnswer>;
  /** False: the lease was lost; its epoch can commit nothing any more. */
  renewLease(lease: Lease, ttlMs: number): Promise<boolean>;
  /** Gives the lease back, if it is still held. */
  releaseLease(lease: Lease): Promise<void>;

  /**
   * Puts an event in the run's inbox, unless its id was offered before (then its reply is kept or still to come).
   * `full`: the inbox has `INBOX_EVENTS_MAX` events; nothing was stored, try later. `unknownRun`: nothing was stored.
   */
  offer(runId: RunId, event: OfferedEvent): Promise<'queued' | 'repeated' | 'full' | 'unknownRun'>;
  /** The oldest events that no commit consumed, oldest first. */
  readInbox(runId: RunId, max: number): Promise<readonly OfferedEvent[]>;
  /** The reply that a commit gave to an event, null while there is none (or after `REPLY_TTL_MS`). */
  readReply(runId: RunId, eventId: EventId): Promise<string | null>;

  /** The whole state and its version; null for a run without a commit. One consistent view. */
  readState(runId: RunId): Promise<StateView | null>;
  /** Some fields (null where there is none) with the version, one consistent view. Version 0: a run without a commit, or unknown. */
  readFields(
    runId: RunId,
    fields: readonly string[],
  ): Promise<{ readonly version: number; readonly values: readonly (string | null)[] }>;
  /**
   * Writes one batch atomically: fields, the consumed head of the inbox, replies, version + 1. `fenced` (nothing is changed) when the
   * lease's epoch is not the run's latest, when the lease ran out, or when the version is not `expectedVersion`.
   */
  commit(lease: Lease, batch: CommitBatch): Promise<'committed' | 'fenced'>;

  /**
   * Hears of offers, commits and leases given back of all runs, of every process. Signals may be lost with the connection: they save waiting, and a listener
   * must also look by itself from time to time. A listener must not throw.
   */
  subscribe(listener: (signal: StoreSignal) => void): Promise<Unsubscribe>;

  /** Resolves when the backend answers and is configured so that it keeps what it is given; throws a fault that says why not. */
  checkReady(): Promise<void>;
  close(): Promise<void>;
}

export type LeaseAnswer =
  | { readonly kind: 'granted'; readonly lease: Lease }
  /** Somebody holds it, for so long if it is not renewed. */
  | { readonly kind: 'held'; readonly forMs: number }
  | { readonly kind: 'unknownRun' };

export const leaseOf = (answer: LeaseAnswer): Lease | null => (answer.kind === 'granted' ? answer.lease : null);

export interface Lease {
  readonly runId: RunId;
  readonly holder: string;
  readonly epoch: number;
}

export interface OfferedEvent {
  readonly eventId: EventId;
  readonly body: string;
}

export interface StateView {
  readonly version: number;
  readonly fields: ReadonlyMap<string, string>;
}

export interface CommitBatch {
  readonly expectedVersion: number;
  readonly put: ReadonlyMap<string, string>;
  readonly drop: readonly string[];
  /** How many events at the head of the inbox are folded into this state. */
  readonly consumed: number;
  readonly replies: readonly { readonly eventId: EventId; readonly body: string }[];
}

export type StoreSignal =
  | { readonly kind: 'offered'; readonly runId: RunId }
  | { readonly kind: 'committed'; readonly runId: RunId; readonly version: number }
  /** A lease was given back before its time. */
  | { readonly kind: 'released'; readonly runId: RunId };

export type Unsubscribe = () => void;

/** The backend did not do what it was asked; the same call may succeed later. */
export class RoundStoreFault extends Fault {
  override readonly name = 'RoundStoreFault';
}

/** More events than agents in the largest cohort may be waiting; past it the door asks callers to come back. */
export const INBOX_EVENTS_MAX = 50_000;
/** A caller that retries does so within minutes. */
export const REPLY_TTL_MS = 15 * 60_000;
