import { type RunHead, type RunId, sentenceOf, type WaitingCode, waitingFor } from '@flexlora/core';
import type { Clock, Logger } from '@flexlora/runtime';
import { WAITING_TOLD_MS } from './limits.ts';
import type { OrchestratorMetrics } from './metrics.ts';

/** What the runs of this process wait for: in the log when that changes and now and then while it does not, and as a metric. Nothing waits silently. */
export interface WaitingRuns {
  /** Follows one run from taking its lease to losing it. */
  follow(runId: RunId, logger: Logger): RunWaiting;
}

export interface RunWaiting {
  /** How the run stands by its newest commit. */
  stands(head: RunHead): void;
  /** Called at least every few seconds. */
  timePassed(): void;
  end(): void;
}

export interface RunWait {
  readonly code: WaitingCode;
  readonly sinceMs: number;
}

export function createWaitingRuns(deps: {
  readonly clock: Clock;
  readonly metrics: Pick<OrchestratorMetrics, 'readWaits'>;
}): WaitingRuns {
  const { clock, metrics } = deps;
  const waits = new Map<RunId, RunWait>();
  metrics.readWaits(() => {
    const nowMs = clock.nowMs();
    return [...waits.values()].map(({ code, sinceMs }) => ({ code, seconds: (nowMs - sinceMs) / 1_000 }));
  });

  return {
    follow: (runId, logger) => {
      let head: RunHead | null = null;
      let toldAtMs = 0;
      const tell = (now: RunHead, nowMs: number): void => {
        const waiting = waitingFor(now, nowMs);
        const { code } = waiting;
        const before = waits.get(runId);
        const isNew = before?.code !== code;
        if (isNew) waits.set(runId, { code, sinceMs: nowMs });
        if (code === 'none') return;
        if (!isNew && nowMs - toldAtMs < WAITING_TOLD_MS) return;
        toldAtMs = nowMs;
        const seconds = isNew ? 0 : Math.round((nowMs - before.sinceMs) / 1_000);
        logger.info({ waitingFor: code, why: sentenceOf(waiting), seconds }, 'the run waits');
      };
      return {
        stands: (now) => {
          head = now;
          tell(now, clock.nowMs());
        },
        timePassed: () => {
          if (head !== null) tell(head, clock.nowMs());
        },
        end: () => {
          waits.delete(runId);
        },
      };
    },
  };
}
