import type { AgentId, RunId } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import { freshEventId } from './event-id.ts';
import { PRESENCE_AGENTS_MAX, PRESENCE_GATHER_MS } from './limits.ts';
import type { EventDoor } from './offer-event.ts';

/**
 * Tells runs which agents are here. Agents of one run that say so shortly after each other are one event: thousands of them do in every
 * half of their presence, and each event is a commit's work.
 */
export interface Presence {
  /** The time from which the agent is here anew, once the store has it. @throws {Fault} when it could not be told: repeat the call. */
  note(runId: RunId, agentId: AgentId): Promise<number>;
}

interface Gathering {
  readonly agentIds: Set<AgentId>;
  readonly full: AbortController;
  told: Promise<number> | null;
}

export function createPresence(deps: {
  readonly door: EventDoor;
  readonly clock: Clock;
  readonly randomId: () => string;
}): Presence {
  const { door, clock, randomId } = deps;
  const gatherings = new Map<RunId, Gathering>();

  const close = (runId: RunId, gathering: Gathering): void => {
    if (gatherings.get(runId) === gathering) gatherings.delete(runId);
  };

  const gather = async (runId: RunId, gathering: Gathering): Promise<number> => {
    const { agentIds, full } = gathering;
    await clock.sleep(PRESENCE_GATHER_MS, full.signal).catch((error: unknown) => {
      if (!full.signal.aborted) throw error;
    });
    close(runId, gathering);
    const atMs = clock.nowMs();
    // That presence is told twice changes nothing, so every gathering is its own event.
    const eventId = freshEventId('agentsReady', randomId);
    await door.tell(runId, eventId, { kind: 'agentsReady', atMs, agentIds: [...agentIds] });
    return atMs;
  };

  return {
    note: (runId, agentId) => {
      const gathering = gatherings.get(runId) ?? { agentIds: new Set(), full: new AbortController(), told: null };
      gatherings.set(runId, gathering);
      gathering.agentIds.add(agentId);
      if (gathering.agentIds.size >= PRESENCE_AGENTS_MAX) {
        close(runId, gathering);
        gathering.full.abort();
      }
      gathering.told ??= gather(runId, gathering);
      return gathering.told;
    },
  };
}
