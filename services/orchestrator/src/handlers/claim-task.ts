import type { ClaimTaskRequest, ClaimTaskResponse } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import {
  type AggregationTask,
  type AggregatorId,
  isRefusal,
  parseAggregatorId,
  parseClaimId,
  type Refusal,
  type RunId,
} from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import { freshEventId } from '../event-id.ts';
import { COME_BACK_MS_MIN, HEAD_AGE_MS_MAX, LONG_POLL_MS_MAX } from '../limits.ts';
import { taskMessage } from '../translate/task.ts';
import type { ControlDeps } from './control-deps.ts';

interface Claim {
  readonly aggregatorId: AggregatorId;
  /** The aggregator's name for the claim until it hears of a task. */
  readonly claimId: string;
}

/**
 * Holds the call until some run gives a task or the time is over. Runs are asked in an order of chance, so that none starves. A grant
 * whose answer is lost on the way is given again to the same claim.
 */
export async function claimTask(
  deps: ControlDeps,
  request: ClaimTaskRequest,
  call: CallContext,
): Promise<ClaimTaskResponse | Refusal> {
  const aggregatorId = parseAggregatorId(request.aggregatorId);
  if (isRefusal(aggregatorId)) return aggregatorId;
  const claimId = parseClaimId(request.claimId);
  if (isRefusal(claimId)) return claimId;
  const slot = deps.heldSlots.take();
  try {
    return await waitForTask(deps, { aggregatorId, claimId }, request.waitMsMax, call);
  } finally {
    slot.release();
  }
}

async function waitForTask(
  deps: ControlDeps,
  claim: Claim,
  waitMsMax: number,
  call: CallContext,
): Promise<ClaimTaskResponse> {
  const answerAtMs = deps.clock.nowMs() + Math.min(waitMsMax, LONG_POLL_MS_MAX);
  for (;;) {
    const seen = deps.signals.anyCommitted.count;
    const task = await claimFromAny(deps, claim, call.signal);
    const nowMs = deps.clock.nowMs();
    if (task !== null) return { answer: { $case: 'task', value: taskMessage(task, nowMs) } };
    if (nowMs >= answerAtMs || deps.stopping.aborted) {
      const afterMs = Math.ceil((COME_BACK_MS_MIN / 2) * (1 + deps.random()));
      return { answer: { $case: 'comeBackAfterMs', value: afterMs } };
    }
    const waitMs = Math.min(answerAtMs - nowMs, HEAD_AGE_MS_MAX);
    // Beats once more when the process stops.
    await deps.signals.anyCommitted.waitSince(seen, waitMs, call.signal);
  }
}

async function claimFromAny(deps: ControlDeps, claim: Claim, signal: AbortSignal): Promise<AggregationTask | null> {
  const runIds = await deps.roundStore.listRuns();
  const first = Math.floor(deps.random() * runIds.length);
  for (const runId of [...runIds.slice(first), ...runIds.slice(0, first)]) {
    try {
      const head = await deps.reader.readHead(runId);
      if (head === null || head.phase.kind === 'settled' || head.paused !== null || head.tasks.pending === 0) continue;
      const task = await claimFrom(deps, runId, claim, signal);
      if (task !== null) return task;
    } catch (error) {
      if (signal.aborted) throw error;
      deps.logger.warn({ runId, err: error }, 'a run could not be asked for a task; the next one is asked');
    }
  }
  return null;
}

/** Every call is its own event; that a repeated claim gets the task it had is the machine's to know. */
async function claimFrom(
  deps: ControlDeps,
  runId: RunId,
  claim: Claim,
  signal: AbortSignal,
): Promise<AggregationTask | null> {
  const eventId = freshEventId('taskClaimed', deps.randomId);
  const event = { kind: 'taskClaimed', atMs: deps.clock.nowMs(), ...claim } as const;
  const reply = await deps.door.offer(runId, eventId, event, signal);
  return !isRefusal(reply) && reply.kind === 'taskGranted' ? reply.task : null;
}
