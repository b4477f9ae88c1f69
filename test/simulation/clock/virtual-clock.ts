import type { Clock } from '@flexlora/runtime';

/** Time that passes only when it is told to: from timer to timer, as fast as the machine is. */
export interface VirtualClock extends Clock {
  /** Calls `wake` at that time, or at once when it is past; never twice. The answer takes the timer back. */
  schedule(atMs: number, wake: () => void): () => void;
  /** When the next timer is due; null when there is none. */
  nextAtMs(): number | null;
  /** Moves to the next timer's time and wakes it alone. */
  advance(): void;
}

interface Timer {
  readonly atMs: number;
  /** Timers of one time are woken in the order of these: drawn, so that no order is the only one that is ever tried. */
  readonly tie: number;
  wake: (() => void) | null;
}

/** Where virtual time begins: after 2020, so that nothing takes it for a duration. */
export const VIRTUAL_START_MS = 1_600_000_000_000;

export function createVirtualClock(random: () => number): VirtualClock {
  const heap: Timer[] = [];
  let nowMs = VIRTUAL_START_MS;

  const isBefore = (a: Timer, b: Timer): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie);

  const push = (timer: Timer): void => {
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(timer, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = timer;
  };

  const pop = (): Timer | undefined => {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (below >= heap.length || !isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  };

  const dropCancelled = (): void => {
    while (heap.length > 0 && heap[0]!.wake === null) pop();
  };

  const schedule = (atMs: number, wake: () => void): (() => void) => {
    const timer: Timer = { atMs: Math.max(nowMs, Math.ceil(atMs)), tie: random(), wake };
    push(timer);
    return () => {
      timer.wake = null;
    };
  };

  return {
    schedule,
    nowMs: () => nowMs,
    sleep: (ms, signal) => sleepOn(schedule, nowMs + Math.max(0, ms), signal),
    nextAtMs: () => {
      dropCancelled();
      return heap[0]?.atMs ?? null;
    },
    advance: () => {
      dropCancelled();
      const timer = pop();
      if (timer === undefined) throw new RangeError('no timer is set: time has nowhere to go');
      nowMs = timer.atMs;
      timer.wake?.();
    },
  };
}

/** A sleep on any way of setting timers: rejects with the signal's reason, as the system's clock does. */
export function sleepOn(
  schedule: VirtualClock['schedule'],
  atMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const giveUp = (): void => {
      takeBack();
      reject(signal?.reason);
    };
    const takeBack = schedule(atMs, () => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    });
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}
