import type { Findings } from './findings.ts';

/** A run without a holder is taken at once: measured whenever nothing else is wrong that could explain a wait. */
export interface TakeoverWatch {
  granted(nowMs: number, untilMs: number): void;
  renewed(untilMs: number): void;
  released(nowMs: number): void;
  /** The store is another one, or its clock jumped: whose lease it was counts no more. */
  forgot(): void;
  /** Something is wrong until then that may keep everybody from taking a lease. */
  troubled(untilMs: number): void;
}

/** The tick in which it is noticed, with the retries of one call. */
export const TAKEOVER_MS_MAX = 2_000;

/** @param hasWork false while there is no run to hold, or one that has ended: it is looked at seldom. */
export function createTakeoverWatch(findings: Findings, hasWork: () => boolean): TakeoverWatch {
  let freeSinceMs: number | null = null;
  let troubledUntilMs = 0;
  return {
    granted: (nowMs, untilMs) => {
      const calmSinceMs = freeSinceMs === null ? nowMs : Math.max(freeSinceMs, troubledUntilMs);
      if (nowMs - calmSinceMs > TAKEOVER_MS_MAX && hasWork())
        findings.broken(`a lease that was free for ${nowMs - calmSinceMs} ms of calm was taken only then`);
      freeSinceMs = untilMs;
    },
    renewed: (untilMs) => {
      freeSinceMs = untilMs;
    },
    released: (nowMs) => {
      freeSinceMs = nowMs;
    },
    forgot: () => {
      freeSinceMs = null;
    },
    troubled: (untilMs) => {
      troubledUntilMs = Math.max(troubledUntilMs, untilMs);
    },
  };
}
