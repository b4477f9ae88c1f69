import type { Clock } from '../../clock.ts';
import type { Outlet } from './frame.ts';

export interface LaneDeps<Frame> {
  readonly clock: Clock;
  /** Aborted when nothing passes any more. */
  readonly ended: AbortSignal;
  /** How long a frame is under way; null when it never comes. */
  readonly travel: (frame: Frame) => number | null;
  readonly deliver: (frame: Frame) => void;
}

export interface Lane<Frame> extends Outlet<Frame> {
  /** Resolves when everything that was sent so far has arrived. */
  arrived(): Promise<void>;
}

/** Messages of a stream that were sent and not taken; the writer waits beyond. */
const MESSAGES_AHEAD_MAX = 4;

/**
 * One direction of a call. Frames arrive in the order in which they were sent, never within `send`; messages only when the reader takes
 * them, everything else when what was before it has been taken.
 */
export function createLane<Frame extends { readonly kind: string }>(deps: LaneDeps<Frame>): Lane<Frame> {
  const { clock, ended } = deps;
  const waiting: Frame[] = [];
  const writers: (() => void)[] = [];
  let untaken = 0;
  let wanted = 0;
  let arriveAtMs = 0;
  let last: Promise<void> = Promise.resolve();

  const deliverWaiting = (): void => {
    for (let frame = waiting[0]; frame !== undefined && !ended.aborted; frame = waiting[0]) {
      if (frame.kind === 'message') {
        if (wanted === 0) return;
        wanted -= 1;
        untaken -= 1;
        writers.shift()?.();
      }
      waiting.shift();
      deps.deliver(frame);
    }
  };
  const arrive = async (frame: Frame, atMs: number): Promise<void> => {
    const leftMs = atMs - clock.nowMs();
    if (leftMs > 0) await clock.sleep(leftMs, ended);
    if (ended.aborted) return;
    waiting.push(frame);
    deliverWaiting();
  };

  return {
    send(frame, onTaken = () => {}) {
      const afterMs = deps.travel(frame);
      if (frame.kind === 'message') untaken += 1;
      if (untaken <= MESSAGES_AHEAD_MAX) queueMicrotask(onTaken);
      else writers.push(onTaken);
      if (afterMs === null) return;
      arriveAtMs = Math.max(arriveAtMs, clock.nowMs() + afterMs);
      const atMs = arriveAtMs;
      last = last
        .then(() => arrive(frame, atMs))
        .catch((error: unknown) => {
          if (!ended.aborted) throw error;
        });
    },
    take() {
      wanted += 1;
      deliverWaiting();
    },
    arrived: () => last,
  };
}
