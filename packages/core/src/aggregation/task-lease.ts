import type { AggregatorId } from '../ids.ts';
import {
  TASK_ATTEMPTS_MAX,
  TASK_FAILURES_OF_ONE_MAX,
  TASK_LAPSES_MAX,
  TASK_LAPSES_OF_SEVERAL_MAX,
  TASK_REST_MS,
} from '../limits.ts';
import type { TaskProgress, TaskRecord, TaskResult } from '../round/round-state.ts';

/**
 * A task's lease. The attempt names the holder: each claim has a new one, and an attempt's object is written by nobody else.
 *
 * | from    | by                                   | to                                                  |
 * |---------|--------------------------------------|-----------------------------------------------------|
 * | pending, rested | claim                        | leased, attempt + 1                                 |
 * | leased  | the same claim again, by its holder  | leased for longer: its answer was lost on the way   |
 * | leased  | renewal by its holder                | leased for longer, also when the lease had run out  |
 * | leased  | completion by its holder             | done                                                |
 * | leased  | failure told by its holder           | pending, one failure more; held, or the run ends (`fateOf`) |
 * | leased  | handing back by its holder           | pending: a backend that is away or a process that stops is no failure of the work |
 * | leased  | the end of the lease                 | pending, lapsed from its holder, resting twice as long as after the last lapse; held (`isDeadly`) |
 * | pending, resting | the end of the rest         | pending, rested                                     |
 * | pending or held, lapsed | anything from the holder of the newest attempt | as if it was still leased: it was only away, which is no lapse |
 * | held    | an operator's retry                  | pending, as if nothing had gone wrong               |
 */
export const freshTask = (modules: TaskRecord['modules']): TaskRecord => ({
  modules,
  attempt: 0,
  claimId: null,
  failures: [],
  lapses: [],
  progress: RESTED,
  lastFailure: null,
});

export interface Claim {
  readonly aggregatorId: AggregatorId;
  readonly claimId: string;
}

export const claimTask = (task: TaskRecord, { aggregatorId, claimId }: Claim, untilMs: number): TaskRecord => ({
  ...task,
  attempt: task.attempt + 1,
  claimId,
  progress: { kind: 'leased', to: aggregatorId, untilMs },
});

/** A renewal that is overtaken by a later one does not shorten the lease. */
export function renewTask(task: TaskRecord, aggregatorId: AggregatorId, untilMs: number): TaskRecord {
  if (task.progress.kind === 'leased' && task.progress.untilMs >= untilMs) return task;
  return { ...task, lapses: lapsesBefore(task), progress: { kind: 'leased', to: aggregatorId, untilMs } };
}

export const completeTask = (task: TaskRecord, result: TaskResult): TaskRecord => ({
  ...task,
  progress: { kind: 'done', result },
});

export function failTask(task: TaskRecord, aggregatorId: AggregatorId, reason: string): TaskRecord {
  const failed = { ...handBackTask(task, reason), failures: [...task.failures, aggregatorId] };
  const ofThis = failed.failures.filter((id) => id === aggregatorId).length;
  if (ofThis < TASK_ATTEMPTS_MAX) return failed;
  const why = `failed ${ofThis} times on aggregator ${aggregatorId}, the last time: ${reason}; mend that aggregator, or start others, and retry the round`;
  return { ...failed, progress: { kind: 'held', reason: why, lapsedFrom: null } };
}

/**
 * Whether the work itself is at fault: it failed `TASK_ATTEMPTS_MAX` times, of which one aggregator, which may be broken, counts for
 * `TASK_FAILURES_OF_ONE_MAX` at most.
 */
export function isExhausted({ failures }: TaskRecord): boolean {
  const byOne = new Map<AggregatorId, number>();
  for (const id of failures) byOne.set(id, Math.min((byOne.get(id) ?? 0) + 1, TASK_FAILURES_OF_ONE_MAX));
  return [...byOne.values()].reduce((sum, count) => sum + count, 0) >= TASK_ATTEMPTS_MAX;
}

export const handBackTask = (task: TaskRecord, reason: string): TaskRecord => ({
  ...task,
  lapses: lapsesBefore(task),
  progress: RESTED,
  lastFailure: reason,
});

/** The task as it is at `nowMs`: its lease may have run out, its rest be over. The same object when neither is so. */
export function passTime(task: TaskRecord, nowMs: number): TaskRecord {
  const { progress } = task;
  if (progress.kind === 'leased' && progress.untilMs <= nowMs) return lapseTask(task, progress.to, nowMs);
  if (progress.kind === 'pending' && progress.restsUntilMs !== null && progress.restsUntilMs <= nowMs)
    return { ...task, progress: { ...progress, restsUntilMs: null } };
  return task;
}

/** When `passTime` changes it, or null. */
export function changesAtMs({ progress }: TaskRecord): number | null {
  if (progress.kind === 'leased') return progress.untilMs;
  return progress.kind === 'pending' ? progress.restsUntilMs : null;
}

/** What an operator's retry makes of a task: what is done stays, and what is under way goes on. */
export function forgiveTask(task: TaskRecord): TaskRecord {
  const { progress, failures, lapses } = task;
  const isClean = failures.length === 0 && lapses.length === 0;
  switch (progress.kind) {
    case 'done':
      return task;
    case 'leased':
      return isClean ? task : { ...task, failures: [], lapses: [] };
    case 'pending':
    case 'held':
      return isClean && progress.kind === 'pending' ? task : { ...task, failures: [], lapses: [], progress: RESTED };
  }
}

/** Whether this aggregator made the newest claim, and nobody has answered for it yet. */
export const holdsTask = (task: TaskRecord, aggregatorId: AggregatorId, attempt: number): boolean =>
  attempt === task.attempt && holderOf(task) === aggregatorId;

/** Whether the newest claim is still its holder's to answer for. */
export const isUnanswered = (task: TaskRecord): boolean => holderOf(task) !== null;

function holderOf({ progress }: TaskRecord): AggregatorId | null {
  switch (progress.kind) {
    case 'leased':
      return progress.to;
    case 'pending':
    case 'held':
      return progress.lapsedFrom;
    case 'done':
      return null;
  }
}

export const isClaimable = ({ progress }: TaskRecord): boolean =>
  progress.kind === 'pending' && progress.restsUntilMs === null;

/** Whether something went wrong with it in the hands of this aggregator, so that another one had better try. */
export const wentWrongWith = ({ failures, lapses }: TaskRecord, aggregatorId: AggregatorId): boolean =>
  failures.includes(aggregatorId) || lapses.includes(aggregatorId);

const RESTED: TaskProgress = { kind: 'pending', lapsedFrom: null, restsUntilMs: null };

function lapseTask(task: TaskRecord, holder: AggregatorId, nowMs: number): TaskRecord {
  const lapses = [...task.lapses, holder];
  const lapsed = {
    ...task,
    lapses,
    lastFailure: `aggregator ${holder} let the lease of attempt ${task.attempt} run out`,
  };
  if (isDeadly(lapses)) {
    const reason = `took its aggregator with it ${lapses.length} times, the last one ${holder}: give aggregators more memory, or look into their logs, and retry the round`;
    return { ...lapsed, progress: { kind: 'held', reason, lapsedFrom: holder } };
  }
  const restsUntilMs = nowMs + TASK_REST_MS * 2 ** lapses.length;
  return { ...lapsed, progress: { kind: 'pending', lapsedFrom: holder, restsUntilMs } };
}

/** A machine that dies is not a task that kills: several of them must have gone, or one very often. */
const isDeadly = (lapses: readonly AggregatorId[]): boolean =>
  lapses.length >= TASK_LAPSES_MAX || (lapses.length >= TASK_LAPSES_OF_SEVERAL_MAX && new Set(lapses).size > 1);

/** Without the lapse of a holder that is heard of again. */
const lapsesBefore = ({ lapses, progress }: TaskRecord): readonly AggregatorId[] =>
  (progress.kind === 'pending' || progress.kind === 'held') && progress.lapsedFrom !== null
    ? lapses.slice(0, -1)
    : lapses;
