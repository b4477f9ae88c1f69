import { checkTaskResult } from '../aggregation/check-task-result.ts';
import {
  claimTask,
  completeTask,
  failTask,
  handBackTask,
  holdsTask,
  isClaimable,
  isExhausted,
  renewTask,
  wentWrongWith,
} from '../aggregation/task-lease.ts';
import type { TaskId } from '../ids.ts';
import { adapterObjectName } from '../object-names.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { aggregationTask, modulesOf } from './aggregation-task.ts';
import { type Answer, answer, done } from './answer.ts';
import { cutMessage } from './operator-requests.ts';
import { sortedEntries, withEntry } from './persistent-map.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundState, StoredDocument, TaskRecord, TaskResult } from './round-state.ts';
import { settle } from './settle.ts';

export type TaskReport = Extract<RoundEvent, { kind: 'taskRenewed' | 'taskCompleted' | 'taskFailed' }>;
type EventOf<Kind extends RoundEvent['kind']> = Extract<RoundEvent, { kind: Kind }>;

/**
 * Gives a task that may be claimed, in the order of their ids; one that went wrong with this aggregator only if there is no other. A claim
 * that comes again gets what it got: its answer was lost on the way, and nobody works on the task.
 */
export function onTaskClaimed(state: RoundState, ledger: StoredDocument, event: EventOf<'taskClaimed'>): Answer {
  const { aggregatorId, claimId } = event;
  const untilMs = event.atMs + state.spec.timing.taskLeaseMs;
  const entries = sortedEntries(state.tasks);
  const same = entries.find(([, task]) => task.claimId === claimId && holdsTask(task, aggregatorId, task.attempt));
  if (same !== undefined) return granted(state, ledger, same[0], renewTask(same[1], aggregatorId, untilMs));
  const open = state.paused === null ? entries.filter(([, task]) => isClaimable(task)) : [];
  const next = open.find(([, task]) => !wentWrongWith(task, aggregatorId)) ?? open[0];
  if (next === undefined) return answer(state, { kind: 'noTask' });
  return granted(state, ledger, next[0], claimTask(next[1], event, untilMs));
}

function granted(state: RoundState, ledger: StoredDocument, taskId: TaskId, task: TaskRecord): Answer {
  const { attempt, claimId, progress } = task;
  if (progress.kind !== 'leased' || claimId === null)
    throw new Error(`task ${taskId} was granted and is not leased: a bug`);
  return answer(withTask(state, taskId, task), {
    kind: 'taskGranted',
    task: aggregationTask(state, ledger, taskId, { attempt, claimId }, progress.untilMs),
  });
}

/** What an aggregator says of a task that it claimed, while tasks are under way or their results wait to be published. */
export function onTaskReport(state: RoundState, ledger: StoredDocument, event: TaskReport): Answer {
  if (event.round !== state.round) return answer(state, noTaskUnderWay(state, event));
  const task = state.tasks.get(event.taskId);
  if (task === undefined) {
    return answer(
      state,
      refuse('unknownTask', `there is no task ${event.taskId} in round ${event.round}: drop it and claim another`),
    );
  }
  if (!holdsTask(task, event.aggregatorId, event.attempt)) return onReportWithoutLease(state, task, event);
  switch (event.kind) {
    case 'taskRenewed': {
      const renewed = renewTask(task, event.aggregatorId, event.atMs + state.spec.timing.taskLeaseMs);
      const leaseUntilMs = renewed.progress.kind === 'leased' ? renewed.progress.untilMs : event.atMs;
      return answer(withTask(state, event.taskId, renewed), { kind: 'taskRenewed', leaseUntilMs });
    }
    case 'taskCompleted':
      return onTaskCompleted(state, ledger, task, event);
    case 'taskFailed':
      return onTaskFailed(state, task, event);
  }
}

function onTaskCompleted(
  state: RoundState,
  ledger: StoredDocument,
  task: TaskRecord,
  event: EventOf<'taskCompleted'>,
): Answer {
  const { attempt } = event;
  const claimId = task.claimId ?? '';
  const objectName = adapterObjectName(
    state.spec.runId,
    state.round,
    event.taskId,
    { attempt, claimId },
    ledger.digest,
  );
  const result: TaskResult = { ...event.result, objectName };
  const { rank, aggregation } = state.spec;
  const expected = { modules: modulesOf(state.spec, task), rank: rank.max, tolerance: aggregation.tolerance };
  const bad = checkTaskResult(expected, result);
  return bad === null ? done(withTask(state, event.taskId, completeTask(task, result))) : answer(state, bad);
}

function onTaskFailed(state: RoundState, task: TaskRecord, event: EventOf<'taskFailed'>): Answer {
  const reason = cutMessage(event.reason);
  switch (event.verdict) {
    case 'refused':
      return done(
        settle(state, 'failed', `task ${event.taskId} of round ${event.round} cannot be done: ${reason}`, event.atMs),
      );
    case 'handedBack':
      return done(withTask(state, event.taskId, handBackTask(task, reason)));
    case 'retry': {
      const failed = failTask(task, event.aggregatorId, reason);
      return done(
        isExhausted(failed)
          ? settleExhausted(state, event.taskId, failed, event.atMs)
          : withTask(state, event.taskId, failed),
      );
    }
  }
}

/** A task whose work fails whoever tries ends the run: trying for ever would hide what is wrong. */
const settleExhausted = (state: RoundState, taskId: string, task: TaskRecord, atMs: number): RoundState =>
  settle(
    state,
    'failed',
    `task ${taskId} of round ${state.round} failed ${task.failures.length} times, the last time: ${task.lastFailure}`,
    atMs,
  );

/** A completion that was heard already is done; the object of an attempt that was given to another aggregator is swept when the round is published. */
function onReportWithoutLease(state: RoundState, task: TaskRecord, event: TaskReport): Answer {
  if (event.kind === 'taskCompleted') {
    const { progress } = task;
    if (progress.kind === 'done' && event.attempt === task.attempt && event.result.digest === progress.result.digest)
      return done(state);
  }
  return answer(state, leaseLost(task, event));
}

export const noTaskUnderWay = (state: RoundState, event: TaskReport): Refusal =>
  refuse(
    'leaseLost',
    `no task of round ${event.round} is under way (the run is ${state.phase.kind}, round ${state.round}): drop ${event.taskId} and claim another task`,
  );

const leaseLost = (task: TaskRecord, event: TaskReport): Refusal =>
  refuse(
    'leaseLost',
    `${event.aggregatorId} no longer holds attempt ${event.attempt} of task ${event.taskId} (attempt ${task.attempt} is ${task.progress.kind}): drop it and claim another`,
  );

function withTask(state: RoundState, taskId: TaskReport['taskId'], task: TaskRecord): RoundState {
  const tasks = withEntry(state.tasks, taskId, task);
  return tasks === state.tasks ? state : { ...state, tasks };
}
