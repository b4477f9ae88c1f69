import type { EventId, RunId } from '@flexlora/core';

/**
 * The catalogue of keys: every key that the Redis round store reads or writes is made here. All keys of a run share the hash tag
 * `{run id}`, so that on a cluster one script may touch them together. `docs/reference/store-keys.md` describes each.
 */
const PREFIX = 'flexlora:';

/** Set of the ids of all runs. */
export const RUNS_KEY = `${PREFIX}runs`;
/** Channel of the signals; a hint that never carries a fact. */
export const SIGNALS_CHANNEL = `${PREFIX}signals`;

const runKey = (runId: RunId, part: string): string => `${PREFIX}{${runId}}:${part}`;

/** Counter of lease grants; it exists exactly for runs that were created. */
export const epochKey = (runId: RunId): string => runKey(runId, 'epoch');
/** Who holds the run, with a time to live: see `leaseToken`. */
export const leaseKey = (runId: RunId): string => runKey(runId, 'lease');
/** Number of commits. */
export const versionKey = (runId: RunId): string => runKey(runId, 'version');
/** Hash of the state's fields. */
export const stateKey = (runId: RunId): string => runKey(runId, 'state');
/** List of events, oldest first. */
export const inboxKey = (runId: RunId): string => runKey(runId, 'inbox');
/** What is known of one event: see `event-entry.ts`. */
export const eventKey = (runId: RunId, eventId: EventId): string => `${eventKeyPrefix(runId)}${eventId}`;
/** The commit script puts the ids of consumed events after it. */
export const eventKeyPrefix = (runId: RunId): string => runKey(runId, 'event:');
