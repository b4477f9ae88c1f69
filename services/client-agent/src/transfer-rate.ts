import type { Clock } from '@flexlora/runtime';
import { RATE_KNOWN_AFTER_MS, RATE_STEP_MS, RATE_WINDOW_MS } from './limits.ts';

/** How fast one transfer is: over its last seconds, and not since it began. */
export interface TransferRate {
  /** So many bytes are there. Fewer than before, or more after a silence, begin the measure anew: what lies between is an outage. */
  note(bytes: number): void;
  /** Whole bytes per second; null: not known yet; 0: nothing moves. */
  bytesPerSecond(): number | null;
}

interface Mark {
  readonly atMs: number;
  readonly bytes: number;
}

export function createTransferRate(clock: Pick<Clock, 'nowMs'>): TransferRate {
  /** From the newest that is older than the window to the last move. */
  let marks: Mark[] = [];

  return {
    note: (bytes) => {
      const mark = { atMs: clock.nowMs(), bytes };
      const last = marks.at(-1);
      if (last !== undefined && bytes === last.bytes && marks.length > 1) return;
      const sinceMs = last === undefined ? 0 : mark.atMs - last.atMs;
      if (last === undefined || bytes <= last.bytes || sinceMs < 0 || sinceMs > silenceMs(marks)) {
        marks = [mark];
        return;
      }
      const before = marks.at(-2);
      // Moves that follow closely are one: the marks stay few, however small the chunks are.
      if (before !== undefined && mark.atMs - before.atMs < RATE_STEP_MS) marks.pop();
      marks.push(mark);
      while (marks[1]!.atMs <= mark.atMs - RATE_WINDOW_MS) marks.shift();
    },
    bytesPerSecond: () => {
      const first = marks[0];
      const last = marks.at(-1);
      if (first === undefined || last === undefined) return null;
      if (clock.nowMs() - last.atMs > silenceMs(marks)) return 0;
      const spanMs = last.atMs - first.atMs;
      return spanMs < RATE_KNOWN_AFTER_MS ? null : Math.round(((last.bytes - first.bytes) * 1_000) / spanMs);
    },
  };
}

/** Longer than the window, and than any move took, with a margin: a slow line that sends in large parts is silent for long as well. */
function silenceMs(marks: readonly Mark[]): number {
  if (marks.length < 2) return Number.POSITIVE_INFINITY;
  const gapsMs = marks.slice(1).map(({ atMs }, i) => atMs - marks[i]!.atMs);
  return Math.max(RATE_WINDOW_MS, 2 * Math.max(...gapsMs));
}
