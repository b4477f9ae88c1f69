import { isRefusal, type Refusal, refuse } from '@flexlora/core';
import { type Clock, callUnary } from '@flexlora/runtime';
import type { RunOutcome, Tell } from '../agent-event.ts';
import { AWAIT_MARGIN_MS, COME_BACK_MS_MAX, COME_BACK_MS_MIN } from '../limits.ts';
import type { PatientDoor } from '../patient-door.ts';
import { type Assignment, assignmentOf, type RunPlan } from '../translate.ts';

export interface RunEnd {
  readonly kind: 'runEnd';
  readonly outcome: RunOutcome;
  readonly reason: string;
  readonly adapterVersion: number;
}

/** An assignment that this agent cannot take. */
export interface Misfit {
  readonly kind: 'misfit';
  readonly round: number;
  readonly handout: number;
  readonly refusal: Refusal;
}

/** Asks for work until there is some, coming back when the server says so. */
export async function awaitAssignment(
  deps: { readonly door: PatientDoor; readonly clock: Clock; readonly tell: Tell },
  request: {
    readonly runId: string;
    readonly agentId: string;
    readonly plan: RunPlan;
    readonly waitMs: number;
    readonly signal: AbortSignal;
  },
): Promise<Assignment | Misfit | RunEnd | Refusal> {
  const { runId, agentId, plan, waitMs, signal } = request;
  const { agents, clock } = deps.door;
  const message = { runId, agentId, waitMsMax: waitMs };
  for (;;) {
    const response = await deps.door.patiently(
      'await assignment',
      () => callUnary(agents, agents.awaitAssignment, message, { deadlineMs: waitMs + AWAIT_MARGIN_MS, clock, signal }),
      signal,
    );
    if (isRefusal(response)) return response;
    const { answer } = response;
    switch (answer?.$case) {
      case 'assignment': {
        const assignment = assignmentOf(answer.value, plan);
        if (!isRefusal(assignment)) return assignment;
        const { round, handout } = answer.value;
        return { kind: 'misfit', round, handout, refusal: assignment };
      }
      case 'runEnded':
        return runEndOf(answer.value);
      case 'comeBack': {
        const afterMs = Math.min(COME_BACK_MS_MAX, Math.max(COME_BACK_MS_MIN, answer.value.afterMs));
        deps.tell({ kind: 'waiting', afterMs, reason: answer.value.reason });
        await deps.clock.sleep(afterMs, signal);
        continue;
      }
      case undefined:
        return refuse('badSpec', 'the server answered with nothing that this agent knows; update the agent');
    }
  }
}

function runEndOf(ended: { outcome: string; reason: string; adapterVersion: number }): RunEnd {
  const known: readonly RunOutcome[] = ['completed', 'failed', 'cancelled'];
  const outcome = known.find((name) => name === ended.outcome) ?? 'failed';
  return { kind: 'runEnd', outcome, reason: ended.reason, adapterVersion: ended.adapterVersion };
}
