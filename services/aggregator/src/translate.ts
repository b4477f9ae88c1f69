import {
  type CompleteTaskRequest,
  type DocumentRef,
  FailureVerdict,
  type Task,
  type TaskRef,
} from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { Strategy } from '@flexlora/contracts/run/v1/run_spec';
import {
  adapterObjectName,
  isRefusal,
  MODULE_SIDE_MAX,
  type ModuleSpec,
  parseModuleName,
  parseRunId,
  parseSha256,
  parseTaskId,
  RANK_MAX,
  type Refusal,
  RUN_MODULES_MAX,
  type RunId,
  refuse,
  type StoredDocument,
  type StrategyName,
  type TaskId,
  type TaskResult,
  TOLERANCE_MAX,
  TOLERANCE_MIN,
  TOLERANCE_STANDARD,
} from '@flexlora/core';

/** A task as it was claimed, checked. */
export interface TaskWork {
  readonly runId: RunId;
  readonly round: number;
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly modules: readonly ModuleSpec[];
  readonly rank: number;
  readonly strategy: StrategyName;
  /** How much larger than the smallest possible the error of each module's sum may be, as a ratio. */
  readonly tolerance: number;
  readonly ledger: StoredDocument;
  readonly previousManifest: StoredDocument | null;
  readonly completionSeed: number;
  readonly objectName: string;
}

/**
 * What becomes of a task that was not done. `handedBack`: nothing is wrong with it, a backend is away or the process stops. `retry`: the work
 * failed, and may not the next time. `refused`: its input can never work.
 */
export type Verdict = 'handedBack' | 'retry' | 'refused';

const STRATEGY_NAMES: Readonly<Record<Strategy, StrategyName>> = {
  [Strategy.UNSPECIFIED]: 'flexlora',
  [Strategy.FLEXLORA]: 'flexlora',
  [Strategy.FLEXLORA_RESIDUAL]: 'flexlora-residual',
  [Strategy.FEDAVG]: 'fedavg',
  [Strategy.HETLORA]: 'hetlora',
};

export const taskRef = ({ runId, round, taskId, attempt }: TaskRef): TaskRef => ({ runId, round, taskId, attempt });

/**
 * Checks what this process is about to allocate for and write to.
 *
 * @param claimId of the claim that the task was given to.
 */
export function workFromMessage(task: Task, claimId: string): TaskWork | Refusal {
  const runId = parseRunId(task.runId);
  if (isRefusal(runId)) return runId;
  const taskId = parseTaskId(task.taskId);
  if (isRefusal(taskId)) return taskId;
  const modules = modulesFromMessage(task);
  if (isRefusal(modules)) return modules;
  if (task.rank < 1 || task.rank > RANK_MAX)
    return refuse('rankOutOfRange', `rank of the task is ${task.rank}; allowed: 1 to ${RANK_MAX}`);
  const strategy: StrategyName | undefined = STRATEGY_NAMES[task.strategy];
  if (strategy === undefined) {
    const allowed = Object.values(STRATEGY_NAMES).slice(1).join(', ');
    return refuse('badSpec', `strategy is number ${task.strategy}; allowed: ${allowed}: update the aggregator`);
  }
  // An orchestrator that does not know of it sends 0.
  const tolerance = task.tolerance === 0 ? TOLERANCE_STANDARD : task.tolerance;
  if (!(tolerance >= TOLERANCE_MIN && tolerance <= TOLERANCE_MAX)) {
    const allowed = `a number from ${TOLERANCE_MIN} to ${TOLERANCE_MAX}`;
    return refuse('badSpec', `tolerance of the task is ${tolerance}; allowed: ${allowed}`);
  }
  const ledger = documentFromMessage('ledger', task.ledger);
  if (isRefusal(ledger)) return ledger;
  const previousManifest =
    task.previousManifest === undefined ? null : documentFromMessage('previous_manifest', task.previousManifest);
  if (isRefusal(previousManifest)) return previousManifest;
  const objectName = adapterObjectName(runId, task.round, taskId, { attempt: task.attempt, claimId }, ledger.digest);
  if (task.objectName !== objectName) {
    return refuse('badId', `object_name is ${task.objectName.slice(0, 200)}; allowed: ${objectName}`);
  }
  const { round, attempt, rank, completionSeed } = task;
  return {
    runId,
    round,
    taskId,
    attempt,
    modules,
    rank,
    strategy,
    tolerance,
    ledger,
    previousManifest,
    completionSeed,
    objectName,
  };
}

function modulesFromMessage(task: Task): readonly ModuleSpec[] | Refusal {
  const count = task.modules.length;
  if (count < 1 || count > RUN_MODULES_MAX)
    return refuse('badModule', `the task has ${count} modules; allowed: 1 to ${RUN_MODULES_MAX}`);
  const modules: ModuleSpec[] = [];
  for (const message of task.modules) {
    const name = parseModuleName(message.name);
    if (isRefusal(name)) return name;
    for (const side of [message.outFeatures, message.inFeatures]) {
      if (side < 1 || side > MODULE_SIDE_MAX)
        return refuse('badModule', `a side of ${name} is ${side}; allowed: 1 to ${MODULE_SIDE_MAX}`);
    }
    modules.push({ name, out: message.outFeatures, in: message.inFeatures, rankGroup: message.rankGroup });
  }
  return modules;
}

function documentFromMessage(field: string, message: DocumentRef | undefined): StoredDocument | Refusal {
  if (message === undefined) return refuse('badSpec', `${field} of the task is not set; allowed: a document`);
  const digest = parseSha256(`${field}.sha256`, message.sha256);
  return isRefusal(digest) ? digest : { objectName: message.objectName, digest };
}

export function completeTaskMessage(aggregatorId: string, task: TaskRef, result: TaskResult): CompleteTaskRequest {
  return {
    aggregatorId,
    task,
    bytes: result.bytes,
    sha256: result.digest,
    componentSha256: [...result.componentDigests],
    modules: result.modules.map((module) => ({
      ...module,
      spectrum: [...module.spectrum],
      fallbackFrom: module.fallbackFrom ?? '',
    })),
  };
}

export function verdictMessage(verdict: Verdict): FailureVerdict {
  switch (verdict) {
    case 'handedBack':
      return FailureVerdict.HANDED_BACK;
    case 'retry':
      return FailureVerdict.RETRY;
    case 'refused':
      return FailureVerdict.REFUSED;
  }
}
