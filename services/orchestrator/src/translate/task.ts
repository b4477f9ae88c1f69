import type {
  CompleteTaskRequest,
  DocumentRef,
  ModuleResult as ModuleResultMessage,
  Task,
  TaskRef as TaskRefMessage,
} from '@flexlora/contracts/aggregation/v1/aggregation_service';
import {
  type AggregationTask,
  type AggregatorId,
  isRefusal,
  type ModuleResult,
  parseAggregatorId,
  parseModuleName,
  parseRunId,
  parseSha256,
  parseTaskId,
  RANK_MAX,
  type Refusal,
  RUN_MODULES_MAX,
  type RunId,
  refuse,
  type Sha256Hex,
  type StoredDocument,
  type TaskId,
  type TaskResult,
} from '@flexlora/core';
import { strategies } from './enum-names.ts';
import { moduleSpecMessage } from './run-spec.ts';

/** A claimed task and who says so. */
export interface TaskRef {
  readonly aggregatorId: AggregatorId;
  readonly runId: RunId;
  readonly round: number;
  readonly taskId: TaskId;
  readonly attempt: number;
}

export function taskMessage(task: AggregationTask, nowMs: number): Task {
  return {
    runId: task.runId,
    round: task.round,
    taskId: task.taskId,
    attempt: task.attempt,
    leaseMs: Math.max(0, task.leaseUntilMs - nowMs),
    modules: task.modules.map(moduleSpecMessage),
    rank: task.rank,
    strategy: strategies.toMessage(task.strategy),
    tolerance: task.tolerance,
    ledger: documentMessage(task.ledger),
    previousManifest: task.previousManifest === null ? undefined : documentMessage(task.previousManifest),
    completionSeed: task.completionSeed,
    objectName: task.objectName,
  };
}

const documentMessage = ({ objectName, digest }: StoredDocument): DocumentRef => ({ objectName, sha256: digest });

export function taskRefFromMessage(aggregator: string, message: TaskRefMessage | undefined): TaskRef | Refusal {
  if (message === undefined) return refuse('unknownTask', 'task is not set; allowed: the task as ClaimTask gave it');
  const aggregatorId = parseAggregatorId(aggregator);
  if (isRefusal(aggregatorId)) return aggregatorId;
  const runId = parseRunId(message.runId);
  if (isRefusal(runId)) return runId;
  const taskId = parseTaskId(message.taskId);
  if (isRefusal(taskId)) return taskId;
  return { aggregatorId, runId, round: message.round, taskId, attempt: message.attempt };
}

/** Without the object's name, which is not the aggregator's to choose. */
export function taskResultFromMessage(request: CompleteTaskRequest): Omit<TaskResult, 'objectName'> | Refusal {
  const digest = parseSha256('sha256', request.sha256);
  if (isRefusal(digest)) return digest;
  if (request.componentSha256.length > RANK_MAX) {
    return refuse(
      'badNumber',
      `component_sha256 has ${request.componentSha256.length} entries; allowed: at most ${RANK_MAX}`,
    );
  }
  const componentDigests: Sha256Hex[] = [];
  for (const text of request.componentSha256) {
    const component = parseSha256('component_sha256', text);
    if (isRefusal(component)) return component;
    componentDigests.push(component);
  }
  if (request.modules.length > RUN_MODULES_MAX) {
    return refuse('badNumber', `modules has ${request.modules.length} entries; allowed: at most ${RUN_MODULES_MAX}`);
  }
  const modules: ModuleResult[] = [];
  for (const message of request.modules) {
    const module = moduleResultFromMessage(message);
    if (isRefusal(module)) return module;
    modules.push(module);
  }
  return { bytes: request.bytes, digest, componentDigests, modules };
}

function moduleResultFromMessage(message: ModuleResultMessage): ModuleResult | Refusal {
  const name = parseModuleName(message.name);
  if (isRefusal(name)) return name;
  const { energyKept, energyTotal, energyTotalError, residual, tolerance, excess, seconds, spectrum } = message;
  const numbers = [energyKept, energyTotal, energyTotalError, residual, tolerance, excess, seconds, ...spectrum];
  const bad = numbers.find((value) => !Number.isFinite(value));
  if (bad !== undefined) {
    return refuse('badNumber', `a number of module ${name} is ${bad}; allowed: finite numbers: fail the task instead`);
  }
  return {
    name,
    rank: message.rank,
    spectrum: message.spectrum,
    rankSum: message.rankSum,
    method: message.method,
    energyKept: message.energyKept,
    energyTotal: message.energyTotal,
    energyTotalError: message.energyTotalError,
    residual: message.residual,
    blocks: message.blocks,
    converged: message.converged,
    fallbackFrom: message.fallbackFrom === '' ? null : message.fallbackFrom,
    tolerance: message.tolerance,
    excess: message.excess,
    scratchBytes: message.scratchBytes,
    seconds: message.seconds,
  };
}
