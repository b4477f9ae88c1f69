import type { AwaitAssignmentRequest, AwaitAssignmentResponse } from '@flexlora/contracts/agent/v1/agent_service';
import { isRefusal, openAssignment, type Refusal, refuse, whyHeadWaits } from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import { eventIdOf } from '../event-id.ts';
import { COME_BACK_CALLS_PER_SECOND, COME_BACK_MS_MAX, COME_BACK_MS_MIN, LONG_POLL_MS_MAX } from '../limits.ts';
import type { RunHeadView } from '../run-reader.ts';
import { assignmentMessage } from '../translate/assignment.ts';
import { type Participant, participantFromMessage } from './agent-service.ts';
import type { ControlDeps } from './control-deps.ts';
import { unknownRun } from './run-service.ts';

/**
 * Holds the call until the agent has work, the run ends, or the time is over. A waiting agent is woken only when a round was opened or the
 * like, or to tell that it is still here; its own fields are read only then, and the head is shared.
 */
export async function awaitAssignment(
  deps: ControlDeps,
  request: AwaitAssignmentRequest,
  call: CallContext,
): Promise<AwaitAssignmentResponse | Refusal> {
  const participant = participantFromMessage(request);
  if (isRefusal(participant)) return participant;
  const slot = deps.heldSlots.take();
  try {
    return await waitForAssignment(deps, participant, request.waitMsMax, call);
  } finally {
    slot.release();
  }
}

async function waitForAssignment(
  deps: ControlDeps,
  participant: Participant,
  waitMsMax: number,
  call: CallContext,
): Promise<AwaitAssignmentResponse | Refusal> {
  const { runId, agentId } = participant;
  const answerAtMs = deps.clock.nowMs() + Math.min(waitMsMax, LONG_POLL_MS_MAX);
  // Only of a run that exists are occasions followed.
  if ((await deps.reader.readHead(runId)) === null) return unknownRun(runId);
  const occasions = deps.occasions.of(runId);
  const ended = AbortSignal.any([call.signal, deps.stopping]);
  let readyUntilMs = 0;
  for (;;) {
    const seen = occasions.count;
    const view = await deps.reader.readAgent(runId, agentId);
    if (view === null) return unknownRun(runId);
    const { head, agent, member, readyUntilMs: known } = view;
    if (head.phase.kind === 'settled') return runEnded(head);
    if (agent === null) {
      return refuse('unknownAgent', `agent ${agentId} is not enrolled in run ${runId}; call Enrol first`);
    }
    const assignment = openAssignment(head, member);
    if (assignment !== null) {
      return { answer: { $case: 'assignment', value: assignmentMessage(assignment, deps.clock.nowMs()) } };
    }
    readyUntilMs = await stayReady(deps, participant, head, Math.max(readyUntilMs, known));
    const nowMs = deps.clock.nowMs();
    if (nowMs >= answerAtMs || deps.stopping.aborted) return comeBack(deps, head);
    const stayReadyAtMs = readyUntilMs - head.spec.timing.agentReadyMs / 2;
    try {
      await occasions.waitSince(seen, Math.min(answerAtMs, stayReadyAtMs) - nowMs, ended);
    } catch (error) {
      // A process that stops answers at once; the agent comes back to another one.
      if (call.signal.aborted) throw error;
    }
  }
}

/** Tells the run that the agent is here, when its presence would run out before half of it is left. */
async function stayReady(
  deps: ControlDeps,
  { runId, agentId }: Participant,
  { spec }: RunHeadView,
  readyUntilMs: number,
): Promise<number> {
  const atMs = deps.clock.nowMs();
  const { agentReadyMs } = spec.timing;
  if (readyUntilMs - atMs >= agentReadyMs / 2) return readyUntilMs;
  // Calls of the same agent within a quarter of its presence are one event.
  const bucket = Math.floor(atMs / Math.max(1, agentReadyMs / 4));
  const eventId = eventIdOf('agentsReady', runId, agentId, bucket);
  await deps.door.tell(runId, eventId, { kind: 'agentsReady', atMs, agentIds: [agentId] });
  return atMs + agentReadyMs;
}

function runEnded(head: RunHeadView): AwaitAssignmentResponse {
  if (head.phase.kind !== 'settled') throw new TypeError(`the run is ${head.phase.kind}, not settled: a bug`);
  const { outcome, reason } = head.phase;
  return { answer: { $case: 'runEnded', value: { outcome, reason, adapterVersion: lastPublished(head) } } };
}

/** Of a completed run the last round; a run that ended otherwise did not publish its open round. */
const lastPublished = ({ phase, round }: RunHeadView): number =>
  phase.kind === 'settled' && phase.outcome === 'completed' ? round : Math.max(0, round - 1);

/** Spreads the agents of a run over time, so that many of them ask no more often in all than few. */
function comeBack(deps: ControlDeps, head: RunHeadView): AwaitAssignmentResponse {
  const spreadMs = (head.agents.enrolled * 1000) / COME_BACK_CALLS_PER_SECOND;
  const patienceMs = Math.min(COME_BACK_MS_MAX, head.spec.timing.agentReadyMs / 4);
  const baseMs = Math.min(Math.max(spreadMs, COME_BACK_MS_MIN), patienceMs);
  const afterMs = Math.ceil((baseMs / 2) * (1 + deps.random()));
  return { answer: { $case: 'comeBack', value: { afterMs, reason: whyHeadWaits(head, deps.clock.nowMs()) } } };
}
