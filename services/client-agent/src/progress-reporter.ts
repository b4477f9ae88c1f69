import { Stage } from '@flexlora/contracts/agent/v1/agent_service';
import type { Refusal, TransferProgress } from '@flexlora/core';
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
  tell(report: ProgressReport): void;
  end(): void;
}

export interface ProgressReport {
  readonly stage: ProgressStage;
  /** 0 to 1. */
  readonly fraction: number;
  /** Nats per token. */
  readonly loss: number | null;
  /** Of a download or an upload. */
  readonly transfer: TransferProgress | null;
}

export type ProgressStage = 'downloading' | 'training' | 'uploading';

const STAGES: Readonly<Record<ProgressStage, Stage>> = {
  downloading: Stage.DOWNLOADING,
  training: Stage.TRAINING,
  uploading: Stage.UPLOADING,
};

export function createProgressReporter(
  deps: { readonly door: PatientDoor; readonly clock: Clock },
  options: { readonly runId: string; readonly agentId: string },
): ProgressReporter {
  let notBeforeMs = 0;

  async function send(which: ReportedRound, report: ProgressReport, signal: AbortSignal): Promise<Refusal | null> {
    const request = { ...options, ...which, ...reportMessage(report) };
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
      let latest: ProgressReport | null = null;
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
        tell: (told) => {
          latest = told;
          news.resolve();
        },
        end: () => ended.abort(new Error('the round is over')),
      };
    },
  };
}

function reportMessage({ stage, fraction, loss, transfer }: ProgressReport) {
  return {
    stage: STAGES[stage],
    fraction: Math.min(1, Math.max(0, fraction)),
    // A training that diverged has none.
    ...(loss === null || !Number.isFinite(loss) ? {} : { loss }),
    ...(transfer === null ? {} : { ...transfer, bytesPerSecond: transfer.bytesPerSecond ?? undefined }),
  };
}
