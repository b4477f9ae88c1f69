import type { Clock } from '@flexlora/runtime';
import { WAIT_STEP_MS } from './limits.ts';

/**
 * Callers that wait for news under a key, each for its own time. Thousands may wait: they share one timer, and news for a few wakes only
 * those. What is told between two waits of a seat is kept for its next one.
 */
export interface WaitingRoom<Key, News> {
  enter(key: Key): Seat<News>;
  isEmpty(): boolean;
  /** The keys of all seats, each once. */
  present(): readonly Key[];
  /** To every seat of the key. */
  tell(key: Key, news: News): void;
  /** Without news, for good: whoever waits looks for itself, and no later wait of these seats lasts. */
  wakeAll(): void;
}

export interface Seat<News> {
  /** The news, or null after `ms` (and at most a step more) without any; rejects with the signal's reason. */
  wait(ms: number, signal?: AbortSignal): Promise<News | null>;
  /** False: the room is closed, and news is to be had in another one. */
  isServed(): boolean;
  leave(): void;
}

interface Sitter<News> {
  news: News | null;
  waiting: Wait | null;
}

interface Wait {
  readonly untilMs: number;
  end(): void;
}

export function createWaitingRoom<Key, News>(clock: Clock): WaitingRoom<Key, News> {
  const sittersOf = new Map<Key, Set<Sitter<News>>>();
  const waiting = new Set<Wait>();
  let sleeping: { readonly untilMs: number; readonly cut: AbortController } | null = null;
  let isServed = true;

  /** Ends the waits whose time is over, then sleeps until the next one's; ends when nobody waits. */
  const keepTime = async (): Promise<void> => {
    while (waiting.size > 0) {
      const nowMs = clock.nowMs();
      let nextMs = Number.POSITIVE_INFINITY;
      for (const wait of waiting) {
        if (wait.untilMs <= nowMs) wait.end();
        else nextMs = Math.min(nextMs, wait.untilMs);
      }
      if (waiting.size === 0) break;
      // Everybody is looked at in each step: many waits that end one shortly after the other are one step.
      const ms = Math.max(nextMs - nowMs, WAIT_STEP_MS);
      const cut = new AbortController();
      sleeping = { untilMs: nowMs + ms, cut };
      await clock.sleep(ms, cut.signal).catch((error: unknown) => {
        if (!cut.signal.aborted) throw error;
      });
    }
    sleeping = null;
  };

  const watchTime = (untilMs: number): void => {
    if (sleeping === null) {
      sleeping = { untilMs, cut: new AbortController() };
      void keepTime();
    } else if (untilMs + WAIT_STEP_MS < sleeping.untilMs) sleeping.cut.abort();
  };

  const wait = (sitter: Sitter<News>, ms: number, signal?: AbortSignal): Promise<News | null> =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const take = (): void => {
        const { news } = sitter;
        sitter.news = null;
        resolve(news);
      };
      if (sitter.news !== null || ms <= 0 || !isServed) return take();
      const leave = (): void => {
        waiting.delete(entry);
        sitter.waiting = null;
        signal?.removeEventListener('abort', giveUp);
        // The timer must not keep a process alive for which nobody waits.
        if (waiting.size === 0) sleeping?.cut.abort();
      };
      const giveUp = (): void => {
        leave();
        reject(signal?.reason);
      };
      const entry: Wait = {
        untilMs: clock.nowMs() + ms,
        end: () => {
          leave();
          take();
        },
      };
      sitter.waiting = entry;
      waiting.add(entry);
      signal?.addEventListener('abort', giveUp, { once: true });
      watchTime(entry.untilMs);
    });

  const enter = (key: Key): Seat<News> => {
    const sitter: Sitter<News> = { news: null, waiting: null };
    const sitters = sittersOf.get(key) ?? new Set();
    sittersOf.set(key, sitters.add(sitter));
    return {
      wait: (ms, signal) => wait(sitter, ms, signal),
      isServed: () => isServed,
      leave: () => {
        sitters.delete(sitter);
        if (sitters.size === 0 && sittersOf.get(key) === sitters) sittersOf.delete(key);
      },
    };
  };

  return {
    enter,
    isEmpty: () => sittersOf.size === 0,
    present: () => [...sittersOf.keys()],
    tell: (key, news) => {
      for (const sitter of sittersOf.get(key) ?? []) {
        sitter.news = news;
        sitter.waiting?.end();
      }
    },
    wakeAll: () => {
      isServed = false;
      for (const entry of [...waiting]) entry.end();
    },
  };
}
