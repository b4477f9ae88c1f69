import { createHash } from 'node:crypto';
import type { EventId, RoundEvent } from '@flexlora/core';

/**
 * The id of an event whose repetition must be the same event: it follows from `parts`. The kind stands in front for people who look
 * into a store.
 */
export function eventIdOf(kind: RoundEvent['kind'], ...parts: readonly (string | number)[]): EventId {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${String(part).length}:${part}`);
  return `${kind}-${hash.digest('hex').slice(0, EVENT_ID_HASH_CHARS)}` as EventId;
}

/** The id of an event that the machine itself makes idempotent: every call is its own event. */
export function freshEventId(kind: RoundEvent['kind'], randomId: () => string): EventId {
  return `${kind}-${randomId()}` as EventId;
}

/** 128 bits: no two events of a run collide. */
const EVENT_ID_HASH_CHARS = 32;
