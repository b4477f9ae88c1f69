import {
  type AggregationServiceServer,
  AggregationServiceService,
  type CompleteTaskRequest,
  type CompleteTaskResponse,
  type FailTaskRequest,
  type FailTaskResponse,
  FailureVerdict,
  type RenewTaskRequest,
  type RenewTaskResponse,
} from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { isRefusal, type Refusal } from '@flexlora/core';
import type { CallContext, GrpcServiceBinding, HandlerAdapter } from '@flexlora/runtime';
import { eventIdOf, freshEventId } from '../event-id.ts';
import { cutText } from '../translate/cut-text.ts';
import { taskRefFromMessage, taskResultFromMessage } from '../translate/task.ts';
import { claimTask } from './claim-task.ts';
import type { ControlDeps } from './control-deps.ts';

/** For aggregators: units of aggregation under a lease. Whose lease holds is decided by `step` alone. */
export function bindAggregationService(deps: ControlDeps, adapter: HandlerAdapter): GrpcServiceBinding {
  const implementation: AggregationServiceServer = {
    claimTask: adapter.unary((request, call) => claimTask(deps, request, call)),
    renewTask: adapter.unary((request, call) => renewTask(deps, request, call)),
    completeTask: adapter.unary((request, call) => completeTask(deps, request, call)),
    failTask: adapter.unary((request, call) => failTask(deps, request, call)),
  };
  return { definition: AggregationServiceService, implementation };
}

async function renewTask(
  deps: ControlDeps,
  request: RenewTaskRequest,
  call: CallContext,
): Promise<RenewTaskResponse | Refusal> {
  const ref = taskRefFromMessage(request.aggregatorId, request.task);
  if (isRefusal(ref)) return ref;
  const { runId, ...claim } = ref;
  const eventId = freshEventId('taskRenewed', deps.randomId);
  const event = { kind: 'taskRenewed', atMs: deps.clock.nowMs(), ...claim } as const;
  const reply = await deps.door.offer(runId, eventId, event, call.signal);
  if (isRefusal(reply)) return reply;
  if (reply.kind !== 'taskRenewed')
    throw new TypeError(`the reply to taskRenewed is ${reply.kind}: a bug of the machine`);
  return { leaseMs: Math.max(0, reply.leaseUntilMs - deps.clock.nowMs()) };
}

async function completeTask(
  deps: ControlDeps,
  request: CompleteTaskRequest,
  call: CallContext,
): Promise<CompleteTaskResponse | Refusal> {
  const ref = taskRefFromMessage(request.aggregatorId, request.task);
  if (isRefusal(ref)) return ref;
  const result = taskResultFromMessage(request);
  if (isRefusal(result)) return result;
  const { runId, ...claim } = ref;
  const { round, taskId, attempt, aggregatorId } = claim;
  const eventId = eventIdOf('taskCompleted', runId, round, taskId, attempt, aggregatorId, result.digest);
  const event = { kind: 'taskCompleted', atMs: deps.clock.nowMs(), ...claim, result } as const;
  const reply = await deps.door.offer(runId, eventId, event, call.signal);
  return isRefusal(reply) ? reply : {};
}

/** Values that this program does not know are taken as `retry`, the careful reading: such a task does not go round for ever. */
const VERDICTS: ReadonlyMap<number, 'retry' | 'refused' | 'handedBack'> = new Map([
  [FailureVerdict.RETRY, 'retry'],
  [FailureVerdict.REFUSED, 'refused'],
  [FailureVerdict.HANDED_BACK, 'handedBack'],
] as const);

async function failTask(
  deps: ControlDeps,
  request: FailTaskRequest,
  call: CallContext,
): Promise<FailTaskResponse | Refusal> {
  const ref = taskRefFromMessage(request.aggregatorId, request.task);
  if (isRefusal(ref)) return ref;
  const { runId, ...claim } = ref;
  const { round, taskId, attempt, aggregatorId } = claim;
  const reason = cutText(request.reason);
  const verdict = VERDICTS.get(request.verdict) ?? 'retry';
  const eventId = eventIdOf('taskFailed', runId, round, taskId, attempt, aggregatorId, verdict, reason);
  const event = { kind: 'taskFailed', atMs: deps.clock.nowMs(), ...claim, reason, verdict } as const;
  const reply = await deps.door.offer(runId, eventId, event, call.signal);
  return isRefusal(reply) ? reply : {};
}
