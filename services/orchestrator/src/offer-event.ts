import { BusyFault, type EventId, Fault, type RoundEvent, type RoundReply, type RunId, refuse } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import type { RoundStore } from '@flexlora/stores';
import { encodeEvent } from './event-text.ts';
import { REPLY_MS_MAX } from './limits.ts';
import type { OrchestratorMetrics } from './metrics.ts';
import type { ReplyWaiters } from './reply-waiters.ts';

/** The way of every event into a run's inbox. */
export interface EventDoor {
  /**
   * Offers an event and waits for the machine's answer. Repeating an id gives the same answer.
   *
   * @throws {Fault} when the inbox is full or no replica answered in time: the caller may repeat the call.
   */
  offer(runId: RunId, eventId: EventId, event: RoundEvent, signal?: AbortSignal): Promise<RoundReply>;
  /** Offers an event whose answer nobody needs. */
  tell(runId: RunId, eventId: EventId, event: RoundEvent): Promise<RoundReply | null>;
}

export function createEventDoor(deps: {
  readonly roundStore: RoundStore;
  readonly waiters: ReplyWaiters;
  readonly clock: Clock;
  readonly metrics: OrchestratorMetrics;
}): EventDoor {
  const { roundStore, waiters, clock, metrics } = deps;

  const tell = async (runId: RunId, eventId: EventId, event: RoundEvent): Promise<RoundReply | null> => {
    const offered = await roundStore.offer(runId, { eventId, body: encodeEvent(event) });
    switch (offered) {
      case 'queued':
      case 'repeated':
        return null;
      case 'full':
        metrics.inboxFull();
        throw new BusyFault(`the inbox of run ${runId} is full; nothing was stored, repeat the call later`);
      case 'unknownRun':
        return refuse('unknownRun', `there is no run ${runId}; allowed: a run that ListRuns shows`);
    }
  };

  return {
    tell,
    offer: async (runId, eventId, event, signal) => {
      const startedAtMs = clock.nowMs();
      const refusal = await tell(runId, eventId, event);
      if (refusal !== null) return refusal;
      const reply = await waiters.wait(runId, eventId, REPLY_MS_MAX, signal);
      if (reply === null) {
        throw new Fault(
          `no replica answered for run ${runId} within ${REPLY_MS_MAX} ms; the call is kept, repeat it to get its answer`,
        );
      }
      metrics.replied(event.kind, (clock.nowMs() - startedAtMs) / 1000);
      return reply;
    },
  };
}
