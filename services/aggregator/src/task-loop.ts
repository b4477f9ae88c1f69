import type { Task, TaskRef } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { isRefusal, type Refusal, type TaskResult } from '@flexlora/core';
import { backoffMs, type Clock, failureOf, type Logger, retry } from '@flexlora/runtime';
import { keepLease } from './keep-lease.ts';
import {
  BACKEND_RETRY,
  CLAIM_RETRY,
  COME_BACK_MS_MAX,
  COME_BACK_MS_MIN,
  COMPLETE_RETRY,
  FAIL_RETRY,
} from './limits.ts';
import type { AggregatorMetrics, TaskOutcome } from './metrics.ts';
import type { TaskDoor } from './task-door.ts';
import { type TaskFailure, taskFailureOf } from './task-failure.ts';
import { type TaskWork, taskRef, type Verdict, workFromMessage } from './translate.ts';

export interface TaskLoopDeps {
  readonly door: TaskDoor;
  readonly runTask: (work: TaskWork, signal: AbortSignal) => Promise<TaskResult | Refusal>;
  /** Null when the object store answers. */
  readonly whyNotReady: () => Promise<string | null>;
  readonly clock: Clock;
  readonly random: () => number;
  /** 8 hexadecimal digits, never the same again: names a claim until its task is heard of. */
  readonly newClaimId: () => string;
  readonly logger: Logger;
  readonly metrics: AggregatorMetrics;
}

/** `noClaims` comes first and lets the task under way finish; `cut` hands it back. */
export interface TaskLoopSignals {
  readonly noClaims: AbortSignal;
  readonly cut: AbortSignal;
}

/**
 * Claims tasks and does them, one after the other, until `noClaims`; while the object store is away it claims none. Never throws: whatever
 * happens to a task is told.
 */
export async function runTaskLoop(deps: TaskLoopDeps, signals: TaskLoopSignals): Promise<void> {
  const { noClaims, cut } = signals;
  /** Tasks in a row that were handed back. */
  let handedBack = 0;
  let claimId = deps.newClaimId();
  while (!noClaims.aborted) {
    try {
      if (handedBack > 0) await untilBackendAnswers(deps, handedBack, noClaims);
      const claim = claimId;
      const task = await claimTask(deps, claim, noClaims);
      if (task === null) continue;
      claimId = deps.newClaimId();
      const ending = await doTask(deps, { task, claimId: claim }, cut);
      handedBack = ending.kind === 'givenUp' && ending.failure.verdict === 'handedBack' ? handedBack + 1 : 0;
    } catch (error) {
      if (!noClaims.aborted) throw error;
    }
  }
}

/** Waits at least once: a store that just failed may still say that it is there. */
async function untilBackendAnswers(deps: TaskLoopDeps, handedBack: number, signal: AbortSignal): Promise<void> {
  for (let attempt = handedBack; ; attempt += 1) {
    await deps.clock.sleep(backoffMs({ ...BACKEND_RETRY, attemptsMax: 1 }, attempt, deps.random), signal);
    const reason = await deps.whyNotReady();
    if (reason === null) return;
    deps.logger.warn({ reason }, 'no task is claimed while the object store is away');
  }
}

/** Null when the orchestrator said to come back later. A claim whose answer was lost is made again as the same claim. */
async function claimTask(deps: TaskLoopDeps, claimId: string, signal: AbortSignal): Promise<Task | null> {
  const answer = await retry(() => deps.door.claim(claimId, signal), CLAIM_RETRY, deps, {
    signal,
    askedWaitMs,
    onRetry: (error, attempt, waitMs) =>
      deps.logger.warn({ reason: failureOf(error).message, attempt, waitMs }, 'no task could be claimed; trying again'),
  });
  if (answer?.$case === 'task') return answer.value;
  const waitMs = answer?.value ?? COME_BACK_MS_MAX;
  await deps.clock.sleep(Math.min(COME_BACK_MS_MAX, Math.max(COME_BACK_MS_MIN, waitMs)), signal);
  return null;
}

interface ClaimedTask {
  readonly task: Task;
  readonly claimId: string;
}

async function doTask(loopDeps: TaskLoopDeps, claimed: ClaimedTask, cut: AbortSignal): Promise<Ending> {
  const message = claimed.task;
  const task = taskRef(message);
  const { runId: run, round, taskId, attempt } = task;
  const logger = loopDeps.logger.child({ run, round, task: taskId, attempt });
  const deps = { ...loopDeps, logger };
  deps.metrics.taskBegan();
  const lease = keepLease(deps, task, message.leaseMs);
  const ending = await attemptTask(deps, claimed, lease.lost, cut);
  if (ending.kind === 'givenUp') await tellFailure(deps, task, ending.failure);
  await lease.release();
  deps.metrics.taskEnded(ending.kind === 'givenUp' ? OUTCOME_OF_VERDICT[ending.failure.verdict] : ending.kind);
  logger.info({ ending: ending.kind, modules: message.modules.length }, 'a task ended');
  return ending;
}

type Ending =
  | { readonly kind: 'completed' }
  | { readonly kind: 'lost' }
  | { readonly kind: 'givenUp'; readonly failure: TaskFailure };

const givenUp = (verdict: Verdict, reason: string): Ending => ({ kind: 'givenUp', failure: { verdict, reason } });

const OUTCOME_OF_VERDICT: Readonly<Record<Verdict, TaskOutcome>> = {
  handedBack: 'handedBack',
  retry: 'failed',
  refused: 'refused',
};

async function attemptTask(
  deps: TaskLoopDeps,
  { task: message, claimId }: ClaimedTask,
  lost: AbortSignal,
  cut: AbortSignal,
): Promise<Ending> {
  const signal = AbortSignal.any([lost, cut]);
  try {
    const work = workFromMessage(message, claimId);
    const result = isRefusal(work) ? work : await deps.runTask(work, signal);
    if (isRefusal(result)) return givenUp('refused', result.message);
    signal.throwIfAborted();
    const refusal = await completeTask(deps, taskRef(message), result, signal);
    if (refusal === null) return { kind: 'completed' };
    if (!LEASE_IS_GONE.has(refusal.reason)) return givenUp('refused', refusal.message);
    deps.logger.warn({ reason: refusal.message }, 'a result came too late');
    return { kind: 'lost' };
  } catch (error) {
    if (lost.aborted) {
      deps.logger.warn({ reason: String(lost.reason) }, 'the lease of a task was lost');
      return { kind: 'lost' };
    }
    if (cut.aborted) return givenUp('handedBack', 'the aggregator stops');
    const failure = taskFailureOf(error);
    if (failure.verdict === 'handedBack') deps.logger.warn({ err: error }, 'a backend is away');
    else deps.logger.error({ err: error }, 'a task failed');
    return { kind: 'givenUp', failure };
  }
}

/** The task is no longer this aggregator's: there is nobody to tell. */
const LEASE_IS_GONE: ReadonlySet<Refusal['reason']> = new Set([
  'leaseLost',
  'unknownTask',
  'unknownRound',
  'unknownRun',
  'wrongPhase',
]);

/** Null when the result was taken. */
async function completeTask(
  deps: TaskLoopDeps,
  task: TaskRef,
  result: TaskResult,
  signal: AbortSignal,
): Promise<Refusal | null> {
  try {
    await retry(() => deps.door.complete(task, result, signal), COMPLETE_RETRY, deps, {
      signal,
      isWorthRetrying,
      askedWaitMs,
      onRetry: (error) =>
        deps.logger.warn({ reason: failureOf(error).message }, 'a result could not be handed in; trying again'),
    });
    return null;
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind === 'refusal') return failure;
    throw error;
  }
}

/** Not under the signal: a process that stops still hands its tasks back. Untold, the task's lease runs out. */
async function tellFailure(deps: TaskLoopDeps, task: TaskRef, failure: TaskFailure): Promise<void> {
  deps.logger.warn({ ...failure }, 'a task is given up');
  try {
    await retry(() => deps.door.fail(task, failure), FAIL_RETRY, deps, { isWorthRetrying, askedWaitMs });
  } catch (error) {
    deps.logger.warn({ reason: failureOf(error).message }, 'nobody took the failure of a task');
  }
}

const isWorthRetrying = (error: unknown): boolean => failureOf(error).kind === 'unavailable';

function askedWaitMs(error: unknown): number | null {
  const failure = failureOf(error);
  return failure.kind === 'unavailable' ? failure.retryMs : null;
}
