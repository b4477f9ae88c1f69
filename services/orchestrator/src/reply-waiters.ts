import type { EventId, RoundReply, RunId } from '@flexlora/core';
import { BusyFault } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import type { RoundStore } from '@flexlora/stores';
import { decodeReply } from './event-text.ts';
import { REPLIES_AT_FIRST, REPLIES_AT_ONCE_MAX, REPLY_POLL_MS, REPLY_WAITERS_MAX } from './limits.ts';
import type { RunSignals } from './run-signals.ts';

/**
 * Callers that wait for the reply to their event. An inbox is folded in order, so after a commit the replies of those who wait longest
 * are there first: they are read in that order until none is found, and a commit costs as many reads as it answered callers.
 */
export interface ReplyWaiters {
  /** The reply, or null after `ms` without one. Rejects with the signal's reason, or with the store's fault. */
  wait(runId: RunId, eventId: EventId, ms: number, signal?: AbortSignal): Promise<RoundReply | null>;
}

interface Waiter {
  readonly eventId: EventId;
  answer(reply: RoundReply): void;
  fail(error: unknown): void;
}

export function createReplyWaiters(deps: {
  readonly roundStore: RoundStore;
  readonly signals: RunSignals;
  readonly clock: Clock;
}): ReplyWaiters {
  const { roundStore, signals, clock } = deps;
  const waitersOf = new Map<RunId, Set<Waiter>>();
  let waiting = 0;

  const readReply = async (runId: RunId, waiter: Waiter): Promise<'answered' | 'silent'> => {
    const text = await roundStore.readReply(runId, waiter.eventId);
    if (text === null) return 'silent';
    waiter.answer(decodeReply(text));
    return 'answered';
  };

  const sweep = async (runId: RunId, waiters: Set<Waiter>, extent: 'untilSilent' | 'all'): Promise<void> => {
    const oldestFirst = [...waiters];
    let size = extent === 'all' ? REPLIES_AT_ONCE_MAX : REPLIES_AT_FIRST;
    for (let at = 0; at < oldestFirst.length; ) {
      const batch = oldestFirst.slice(at, at + size);
      at += size;
      size = Math.min(2 * size, REPLIES_AT_ONCE_MAX);
      const found = await Promise.all(batch.map((waiter) => readReply(runId, waiter)));
      if (extent === 'untilSilent' && !found.includes('answered')) return;
    }
  };

  /** Runs while anybody waits for this run; a caller that joins has looked for its own reply already. */
  const serve = async (runId: RunId, waiters: Set<Waiter>): Promise<void> => {
    const pulse = signals.committed(runId);
    try {
      let swept = pulse.count;
      let sweptAllAtMs = clock.nowMs();
      while (waiters.size > 0) {
        await pulse.waitSince(swept, REPLY_POLL_MS);
        // Some that wait longest may wait for what was lost: they hold nobody up for longer than this.
        const extent = clock.nowMs() - sweptAllAtMs >= REPLY_POLL_MS ? 'all' : 'untilSilent';
        if (extent === 'all') sweptAllAtMs = clock.nowMs();
        // Taken before the sweep: a commit during it is swept for again.
        swept = pulse.count;
        await sweep(runId, waiters, extent);
      }
    } catch (error) {
      for (const waiter of [...waiters]) waiter.fail(error);
    } finally {
      // In the same turn as the last look at `waiters`, so that nobody joins a set that is no longer served.
      waitersOf.delete(runId);
    }
  };

  const join = (runId: RunId, waiter: Waiter): Set<Waiter> => {
    const present = waitersOf.get(runId);
    const waiters = present ?? new Set<Waiter>();
    waiters.add(waiter);
    if (present === undefined) {
      waitersOf.set(runId, waiters);
      void serve(runId, waiters);
    }
    return waiters;
  };

  return {
    wait: async (runId, eventId, ms, signal) => {
      signal?.throwIfAborted();
      if (waiting >= REPLY_WAITERS_MAX) {
        throw new BusyFault(`${waiting} calls wait for replies; allowed: ${REPLY_WAITERS_MAX}; repeat the call later`);
      }
      const ended = new AbortController();
      const cancelled = signal === undefined ? ended.signal : AbortSignal.any([ended.signal, signal]);
      let leave = (): void => {};
      const replied = new Promise<RoundReply>((resolve, reject) => {
        const waiter: Waiter = {
          eventId,
          answer: (reply) => {
            leave();
            resolve(reply);
          },
          fail: (error) => {
            leave();
            reject(error);
          },
        };
        const waiters = join(runId, waiter);
        leave = () => waiters.delete(waiter);
        readReply(runId, waiter).catch(waiter.fail);
      });
      waiting += 1;
      try {
        return await Promise.race([replied, clock.sleep(ms, cancelled).then(() => null)]);
      } finally {
        waiting -= 1;
        leave();
        ended.abort();
      }
    },
  };
}
