import { isRefusal, MESSAGE_CHARS_MAX } from '@flexlora/core';
import { callUnary, type Logger } from '@flexlora/runtime';
import { CALL_MS_MAX, DECLINE_ON_STOP_MS, FAILURE_REPORT_ATTEMPTS_MAX } from '../limits.ts';
import { isOutage, type PatientDoor } from '../patient-door.ts';

/** Who speaks of which round. */
export interface EndedRound {
  readonly runId: string;
  readonly agentId: string;
  readonly round: number;
  /** As in the assignment. */
  readonly handout: number;
  /** One sentence for the operator of the run. */
  readonly reason: string;
}

interface ReportEndDeps {
  readonly door: PatientDoor;
  readonly logger: Logger;
}

/** Tells that the round need not wait. When that cannot be told, the round's deadline does it: neither an outage nor a refusal is thrown. */
export async function reportFailure(deps: ReportEndDeps, ended: EndedRound, signal: AbortSignal): Promise<void> {
  const { agents, clock } = deps.door;
  const request = cut(ended);
  await tellPatiently(deps, 'report failure', signal, () =>
    callUnary(agents, agents.reportFailure, request, { deadlineMs: CALL_MS_MAX, clock, signal }),
  );
}

export async function declineAssignment(deps: ReportEndDeps, ended: EndedRound, signal: AbortSignal): Promise<void> {
  const { agents, clock } = deps.door;
  const request = cut(ended);
  await tellPatiently(deps, 'decline', signal, () =>
    callUnary(agents, agents.declineAssignment, request, { deadlineMs: CALL_MS_MAX, clock, signal }),
  );
}

/** Gives the assignment of an agent that stops back: once, and quickly. */
export async function declineOnStop({ door, logger }: ReportEndDeps, ended: EndedRound): Promise<void> {
  const { agents, clock } = door;
  try {
    await callUnary(agents, agents.declineAssignment, cut(ended), { deadlineMs: DECLINE_ON_STOP_MS, clock });
  } catch (error) {
    logger.info({ round: ended.round, err: error }, 'the assignment could not be given back; its deadline ends it');
  }
}

async function tellPatiently(
  { door, logger }: ReportEndDeps,
  what: string,
  signal: AbortSignal,
  operation: () => Promise<unknown>,
): Promise<void> {
  try {
    const answer = await door.patiently(what, operation, signal, FAILURE_REPORT_ATTEMPTS_MAX);
    if (isRefusal(answer)) logger.debug({ what, reason: answer.reason }, answer.message);
  } catch (error) {
    signal.throwIfAborted();
    if (!isOutage(error)) throw error;
    logger.warn({ what, err: error }, 'the platform could not be told; the round ends it by its deadline');
  }
}

const cut = (ended: EndedRound): EndedRound => ({ ...ended, reason: ended.reason.slice(0, MESSAGE_CHARS_MAX) });
