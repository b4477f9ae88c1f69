import { Stage } from '@flexlora/contracts/agent/v1/agent_service';
import type { Refusal } from '@flexlora/core';
import { type Clock, callUnary, failureOf } from '@flexlora/runtime';
import { CALL_MS_MAX, REPORT_AFTER_FAILURE_MS, REPORT_MS_MAX, REPORT_MS_MIN } from './limits.ts';
import type { PatientDoor } from './patient-door.ts';

/** Tells the server how far an assignment is, at the pace that the server asks for and never faster: also from one round to the next. */
export interface ProgressReporter {
  /** Reports what was told last until `end`. `onRefused` hears that the server takes nothing more of this round. */
  begin(which: ReportedRound, onRefused: (refusal: Refusal) => void): RoundProgress;
}

/** A round, and which handing out of it. */
export interface ReportedRound {
  readonly round: number;
  readonly handout: number;
}

export interface RoundProgress {
  /** `fraction` is 0 to 1, `loss` in nats per token. */
  tell(stage: ProgressStage, fraction: number, loss: number | null): void;
  end(): void;
}

export type ProgressStage = 'downloading' | 'training' | 'uploading';

const STAGES: Readonly<Record<ProgressStage, Stage>> = {
  downloading: Stage.DOWNLOADING,
  training: Stage.TRAINING,
  uploading: Stage.UPLOADING,
};

interface Report {
  readonly stage: ProgressStage;
  readonly fraction: number;
  readonly loss: number | null;
}

export function createProgressReporter(
  deps: { readonly door: PatientDoor; readonly clock: Clock },
  options: { readonly runId: string; readonly agentId: string },
): ProgressReporter {
  let notBeforeMs = 0;

  async function send(which: ReportedRound, report: Report, signal: AbortSignal): Promise<Refusal | null> {
    const { stage, fraction, loss } = report;
    const request = { ...options, ...which, stage: STAGES[stage], fraction, ...(loss === null ? {} : { loss }) };
    let waitMs = REPORT_AFTER_FAILURE_MS;
    try {
      const { agents, clock } = deps.door;
      const answer = await callUnary(agents, agents.reportProgress, request, {
        deadlineMs: CALL_MS_MAX,
        clock,
        signal,
      });
      waitMs = answer.nextReportAfterMs;
      return null;
    } catch (error) {
      signal.throwIfAborted();
      const failure = failureOf(error);
      if (failure.kind === 'refusal') return failure;
      if (failure.kind === 'unavailable') waitMs = Math.max(waitMs, failure.retryMs ?? 0);
      return null;
    } finally {
      notBeforeMs = deps.clock.nowMs() + Math.min(REPORT_MS_MAX, Math.max(REPORT_MS_MIN, waitMs));
    }
  }

  return {
    begin(which, onRefused) {
      const ended = new AbortController();
      let latest: Report | null = null;
      let news = Promise.withResolvers<void>();
      const abort = Promise.withResolvers<never>();
      // Nobody may be waiting for it when it comes.
      abort.promise.catch(() => {});
      ended.signal.addEventListener('abort', () => abort.reject(ended.signal.reason), { once: true });

      const report = async (): Promise<void> => {
        for (;;) {
          await Promise.race([news.promise, abort.promise]);
          await deps.clock.sleep(Math.max(0, notBeforeMs - deps.clock.nowMs()), ended.signal);
          news = Promise.withResolvers<void>();
          if (latest === null) continue;
          const refusal = await send(which, latest, ended.signal);
          if (refusal !== null) return onRefused(refusal);
        }
      };
      report().catch((error: unknown) => {
        if (!ended.signal.aborted) throw error;
      });
      return {
        tell: (stage, fraction, loss) => {
          latest = { stage, fraction: Math.min(1, Math.max(0, fraction)), loss };
          news.resolve();
        },
        end: () => ended.abort(new Error('the round is over')),
      };
    },
  };
}
