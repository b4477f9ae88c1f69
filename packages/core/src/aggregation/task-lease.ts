import type { AggregatorId } from '../ids.ts';
import { TASK_ATTEMPTS_MAX } from '../limits.ts';
import type { TaskRecord, TaskResult } from '../round/round-state.ts';

/**
 * A task's lease. The attempt names the holder: each claim has a new one, and an attempt's object is written by nobody else.
 *
 * | from    | by                                   | to                                                  |
 * |---------|--------------------------------------|-----------------------------------------------------|
 * | pending | claim                                | leased, attempt + 1                                 |
 * | leased  | renewal by its holder                | leased for longer, also when the lease had run out  |
 * | leased  | completion by its holder             | done                                                |
 * | leased  | failure told by its holder           | pending, failures + 1                               |
 * | leased  | handing back by its holder           | pending: a backend that is away or a process that stops is no failure of the work |
 * | leased  | the end of the lease                 | pending, lapsed from its holder                     |
 * | pending, lapsed | renewal, completion, failure, handing back by the holder of the newest attempt | as if it was still leased |
 */
export const claimTask = (task: TaskRecord, aggregatorId: AggregatorId, untilMs: number): TaskRecord => ({
  ...task,
  attempt: task.attempt + 1,
  progress: { kind: 'leased', to: aggregatorId, untilMs },
});

/** A renewal that is overtaken by a later one does not shorten the lease. */
export function renewTask(task: TaskRecord, aggregatorId: AggregatorId, untilMs: number): TaskRecord {
  if (task.progress.kind === 'leased' && task.progress.untilMs >= untilMs) return task;
  return { ...task, progress: { kind: 'leased', to: aggregatorId, untilMs } };
}

export const completeTask = (task: TaskRecord, result: TaskResult): TaskRecord => ({
  ...task,
  progress: { kind: 'done', result },
});

export const failTask = (task: TaskRecord, reason: string): TaskRecord => ({
  ...handBackTask(task, reason),
  failures: task.failures + 1,
});

export const handBackTask = (task: TaskRecord, reason: string): TaskRecord => ({
  ...task,
  progress: { kind: 'pending', lapsedFrom: null },
  lastFailure: reason,
});

/** The task as it is when the lease has run out by `nowMs`; the same object when it has not. */
export function lapseTask(task: TaskRecord, nowMs: number): TaskRecord {
  if (task.progress.kind !== 'leased' || task.progress.untilMs > nowMs) return task;
  const holder = task.progress.to;
  return {
    ...task,
    progress: { kind: 'pending', lapsedFrom: holder },
    lastFailure: `aggregator ${holder} let the lease of attempt ${task.attempt} run out`,
  };
}

/** Whether this aggregator made the newest claim, and nobody has answered for it yet. */
export function holdsTask(task: TaskRecord, aggregatorId: AggregatorId, attempt: number): boolean {
  if (attempt !== task.attempt) return false;
  switch (task.progress.kind) {
    case 'leased':
      return task.progress.to === aggregatorId;
    case 'pending':
      return task.progress.lapsedFrom === aggregatorId;
    case 'done':
      return false;
  }
}

export const isExhausted = (task: TaskRecord): boolean => task.failures >= TASK_ATTEMPTS_MAX;
