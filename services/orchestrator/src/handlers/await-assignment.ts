import type { AwaitAssignmentRequest, AwaitAssignmentResponse } from '@flexlora/contracts/agent/v1/agent_service';
import { isRefusal, openAssignment, type Refusal, refuse, whyHeadWaits } from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import { COME_BACK_CALLS_PER_SECOND, COME_BACK_MS_MAX, COME_BACK_MS_MIN, LONG_POLL_MS_MAX } from '../limits.ts';
import type { RunNews } from '../run-occasions.ts';
import type { AgentView, RunHeadView } from '../run-reader.ts';
import { assignmentMessage } from '../translate/assignment.ts';
import { type Participant, participantFromMessage } from './agent-service.ts';
import type { ControlDeps } from './control-deps.ts';
import { unknownRun } from './run-service.ts';

/**
 * Holds the call until the agent has work, the run ends, or the time is over. A waiting agent is woken only by what is for itself, or to tell
 * that it is still here; what it is woken with needs no further read.
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
  const standing = await deps.reader.readHead(runId);
  if (standing === null) return unknownRun(runId);
  if (standing.phase.kind === 'settled') return runEnded(standing);
  let seat = deps.occasions.enter(runId, agentId);
  try {
    let readyUntilMs = 0;
    for (;;) {
      const view: AgentView | null = await deps.reader.readAgent(runId, agentId);
      if (view === null) return unknownRun(runId);
      if (view.agent === null) {
        return refuse('unknownAgent', `agent ${agentId} is not enrolled in run ${runId}; call Enrol first`);
      }
      const answer = answerOf(deps, view);
      if (answer !== null) return answer;
      readyUntilMs = await stayReady(deps, participant, view.head, Math.max(readyUntilMs, view.readyUntilMs));
      const nowMs = deps.clock.nowMs();
      if (nowMs >= answerAtMs || deps.stopping.aborted) return comeBack(deps, view.head);
      const stayReadyAtMs = readyUntilMs - view.head.spec.timing.agentReadyMs / 2;
      const news = await seat.wait(Math.min(answerAtMs, stayReadyAtMs) - nowMs, call.signal);
      const told = news === null ? null : answerOf(deps, news);
      if (told !== null) return news === null || news.afterMs === 0 ? told : beginLater(news);
      if (deps.clock.nowMs() >= answerAtMs || deps.stopping.aborted) {
        return comeBack(deps, (await deps.reader.readHead(runId)) ?? view.head);
      }
      if (!seat.isServed()) {
        seat.leave();
        seat = deps.occasions.enter(runId, agentId);
      }
    }
  } finally {
    seat.leave();
  }
}

/** Null: there is nothing to tell yet. */
function answerOf(
  { clock }: ControlDeps,
  { head, member }: Pick<RunNews, 'head' | 'member'>,
): AwaitAssignmentResponse | null {
  if (head.phase.kind === 'settled') return runEnded(head);
  const assignment = openAssignment(head, member);
  if (assignment === null) return null;
  return { answer: { $case: 'assignment', value: assignmentMessage(assignment, clock.nowMs()) } };
}

/** Spreads the beginning of a round over time: the agent finds its assignment when it comes back. */
const beginLater = ({ head, afterMs }: RunNews): AwaitAssignmentResponse => ({
  answer: {
    $case: 'comeBack',
    value: { afterMs, reason: `round ${head.round} has begun; this agent begins in ${Math.ceil(afterMs / 1000)} s` },
  },
});

/** Tells the run that the agent is here, when its presence would run out before half of it is left. */
async function stayReady(
  deps: ControlDeps,
  { runId, agentId }: Participant,
  { spec }: RunHeadView,
  readyUntilMs: number,
): Promise<number> {
  const { agentReadyMs } = spec.timing;
  if (readyUntilMs - deps.clock.nowMs() >= agentReadyMs / 2) return readyUntilMs;
  return (await deps.presence.note(runId, agentId)) + agentReadyMs;
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
