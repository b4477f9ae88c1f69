import type { EventId } from '@flexlora/core';
import type { OfferedEvent } from './port.ts';

/** An element of the inbox list: the event's id, a line feed (no id has one), its body. `commit.lua` reads the id back. */
export const inboxEntry = (event: OfferedEvent): string => `${event.eventId}\n${event.body}`;

export function parseInboxEntry(entry: string): OfferedEvent {
  const end = entry.indexOf('\n');
  return { eventId: entry.slice(0, end) as EventId, body: entry.slice(end + 1) };
}

/**
 * What an event's key holds: `q` while the event waits in the inbox, `d` after a commit consumed it without a reply, `r` and the reply.
 * Only `q` has no time to live: an event that waits is never forgotten, however long nobody folds it.
 */
export const EVENT_QUEUED = 'q';
export const EVENT_DONE = 'd';
export const EVENT_REPLIED = 'r';

export const replyOf = (value: string | null): string | null =>
  value?.startsWith(EVENT_REPLIED) ? value.slice(EVENT_REPLIED.length) : null;
