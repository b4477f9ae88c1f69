import type { Task, TaskRef } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { isRefusal, type Refusal, type TaskResult } from '@flexlora/core';
import { type Clock, failureOf, type Logger, retry } from '@flexlora/runtime';
import { keepLease } from './keep-lease.ts';
import { CLAIM_RETRY, COME_BACK_MS_MAX, COME_BACK_MS_MIN, COMPLETE_RETRY, FAIL_RETRY } from './limits.ts';
import type { AggregatorMetrics, TaskOutcome } from './metrics.ts';
import type { TaskDoor } from './task-door.ts';
import { type TaskFailure, taskFailureOf } from './task-failure.ts';
import { type TaskWork, taskRef, type Verdict, workFromMessage } from './translate.ts';

export interface TaskLoopDeps {
  readonly door: TaskDoor;
  readonly runTask: (work: TaskWork, signal: AbortSignal) => Promise<TaskResult | Refusal>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: AggregatorMetrics;
}

/** `noClaims` comes first and lets the task under way finish; `cut` hands it back. */
export interface TaskLoopSignals {
  readonly noClaims: AbortSignal;
  readonly cut: AbortSignal;
}

/** Claims tasks and does them, one after the other, until `noClaims`. Never throws: whatever happens to a task is told. */
export async function runTaskLoop(deps: TaskLoopDeps, signals: TaskLoopSignals): Promise<void> {
  while (!signals.noClaims.aborted) {
    const task = await claimTask(deps, signals.noClaims).catch((error: unknown) => {
      if (!signals.noClaims.aborted) throw error;
      return null;
    });
    if (task !== null) await doTask(deps, task, signals.cut);
  }
}

/** Null when the orchestrator said to come back later. */
async function claimTask(deps: TaskLoopDeps, signal: AbortSignal): Promise<Task | null> {
  const answer = await retry(() => deps.door.claim(signal), CLAIM_RETRY, deps, {
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

async function doTask(loopDeps: TaskLoopDeps, message: Task, cut: AbortSignal): Promise<void> {
  const task = taskRef(message);
  const { runId: run, round, taskId, attempt } = task;
  const logger = loopDeps.logger.child({ run, round, task: taskId, attempt });
  const deps = { ...loopDeps, logger };
  deps.metrics.taskBegan();
  const lease = keepLease(deps, task, message.leaseMs);
  const ending = await attemptTask(deps, message, lease.lost, cut);
  if (ending.kind === 'givenUp') await tellFailure(deps, task, ending.failure);
  await lease.release();
  deps.metrics.taskEnded(ending.kind === 'givenUp' ? ending.outcome : ending.kind);
  logger.info({ ending: ending.kind, modules: message.modules.length }, 'a task ended');
}

type Ending =
  | { readonly kind: 'completed' }
  | { readonly kind: 'lost' }
  | { readonly kind: 'givenUp'; readonly failure: TaskFailure; readonly outcome: TaskOutcome };

const givenUp = (verdict: Verdict, reason: string, outcome: TaskOutcome): Ending => ({
  kind: 'givenUp',
  failure: { verdict, reason },
  outcome,
});

async function attemptTask(deps: TaskLoopDeps, message: Task, lost: AbortSignal, cut: AbortSignal): Promise<Ending> {
  const signal = AbortSignal.any([lost, cut]);
  try {
    const work = workFromMessage(message);
    const result = isRefusal(work) ? work : await deps.runTask(work, signal);
    if (isRefusal(result)) return givenUp('refused', result.message, 'refused');
    signal.throwIfAborted();
    const refusal = await completeTask(deps, taskRef(message), result, signal);
    if (refusal === null) return { kind: 'completed' };
    if (!LEASE_IS_GONE.has(refusal.reason)) return givenUp('refused', refusal.message, 'refused');
    deps.logger.warn({ reason: refusal.message }, 'a result came too late');
    return { kind: 'lost' };
  } catch (error) {
    if (lost.aborted) {
      deps.logger.warn({ reason: String(lost.reason) }, 'the lease of a task was lost');
      return { kind: 'lost' };
    }
    if (cut.aborted) return givenUp('retry', 'the aggregator stops', 'handedBack');
    deps.logger.error({ err: error }, 'a task failed');
    const { verdict, reason } = taskFailureOf(error);
    return givenUp(verdict, reason, verdict === 'refused' ? 'refused' : 'failed');
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
