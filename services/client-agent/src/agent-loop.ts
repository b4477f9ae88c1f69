import { isRefusal, type Refusal } from '@flexlora/core';
import { backoffMs, type Clock, type Logger, type RetryDeps } from '@flexlora/runtime';
import type { AdapterWriter } from './adapter/write-peft-directory.ts';
import type { RunOutcome, Tell } from './agent-event.ts';
import { carryOut, type OnStop, tellAssigned } from './carry-out.ts';
import type { AgentDisk } from './disk/agent-disk.ts';
import { isDiskFault } from './disk/disk-fault.ts';
import { type FinishedUpdate, isMadeFor, type MadeFor } from './finished-update.ts';
import { type AgentLimits, REPEATS_WAITED_MAX } from './limits.ts';
import type { PatientDoor } from './patient-door.ts';
import type { ProgressReporter } from './progress-reporter.ts';
import { isAboutContent, settleUpdate } from './settle-update.ts';
import { awaitAssignment, type Misfit } from './stages/await-assignment.ts';
import { type Enrolment, enrol, enrolAgain } from './stages/enrol.ts';
import { declineAssignment } from './stages/report-end.ts';
import { giveUploadUp } from './stages/send-update.ts';
import type { Trainer } from './trainer.ts';
import type { Assignment } from './translate.ts';
import type { WorkDirectory } from './work-directory.ts';

export interface AgentLoopDeps extends RetryDeps {
  readonly clock: Clock;
  readonly door: PatientDoor;
  readonly disk: AgentDisk;
  readonly work: WorkDirectory;
  readonly trainer: Trainer;
  readonly writeAdapter: AdapterWriter;
  readonly progress: ProgressReporter;
  readonly logger: Logger;
  readonly tell: Tell;
}

export interface AgentLoopOptions {
  readonly runId: string;
  readonly agentId: string;
  readonly data: unknown;
  readonly memoryBytesMax: number;
  readonly uplinkBytesPerSecond: number;
  readonly samples: number;
  readonly stepSecondsFactor: number;
  readonly onStop: OnStop;
  readonly limits: AgentLimits;
}

/**
 * What an agent does until its run ends:
 *
 *     send what waits on disk ──► enrol ──► ask for work ──► fetch ──► train ──► keep on disk ──► send ─┐
 *           ▲                       ▲            ▲                                                      │
 *           │ after a disk's fault  │ forgotten  └──────────────────────────────────────────────────────┘
 *
 * Outages, and faults of the disk, are waited out wherever they come; a refusal of what an update holds is final for its assignment. Ends
 * with the run alone, or throws the signal's reason.
 */
export async function runAgentLoop(
  deps: AgentLoopDeps,
  options: AgentLoopOptions,
  signal: AbortSignal,
): Promise<RunOutcome> {
  const turn = createTurn(deps, options, signal);
  for (;;) {
    try {
      const outcome = await turn.next();
      if (outcome !== null) return outcome;
    } catch (error) {
      signal.throwIfAborted();
      if (!isDiskFault(error)) throw error;
      deps.logger.error({ err: error }, 'the disk failed');
      await turn.afterDiskFault(`the disk failed: ${error.message}`);
    }
  }
}

interface Turn {
  /** One assignment, or one step on the way to it; the outcome when the run has ended. */
  next(): Promise<RunOutcome | null>;
  afterDiskFault(reason: string): Promise<void>;
}

function createTurn(deps: AgentLoopDeps, options: AgentLoopOptions, signal: AbortSignal): Turn {
  const { tell, work } = deps;
  const { runId, agentId, limits, data } = options;
  let samples = options.samples;
  let enrolment: Enrolment | null = null;
  /** In a row: assignments that came to nothing, and refusals. */
  let failures = 0;
  let refusals = 0;
  let refused: SettledWork | null = null;
  let accepted: SettledWork | null = null;
  /** In a row: hand-outs of what was accepted. */
  let repeats = 0;
  let hasSentWaiting = false;
  /** Rounds whose update an agent that is not enrolled cannot send. */
  const unsent = new Set<number>();

  const waitAfterFailure = async (reason: string): Promise<void> => {
    failures += 1;
    const afterMs = Math.round(backoffMs(limits.failedRetry, failures, deps.random));
    tell({ kind: 'waiting', afterMs, reason });
    await deps.clock.sleep(afterMs, signal);
  };
  const waitAfterRefusal = async (what: string, { reason, message }: Refusal): Promise<void> => {
    tell({ kind: 'refused', round: null, reason, message });
    refusals += 1;
    const waitMs = Math.round(backoffMs(limits.refusedRetry, refusals, deps.random));
    tell({ kind: 'retrying', what, message, waitMs });
    await deps.clock.sleep(waitMs, signal);
  };
  const settle = async (update: FinishedUpdate): Promise<Refusal | null> => {
    const refusal = await settleUpdate(deps, options, update, enrolment, signal);
    if (refusal === null) accepted = { round: update.round, ...update.madeFor };
    return refusal;
  };

  async function sendWaiting(): Promise<void> {
    for (const update of await work.updatesWaiting()) {
      const refusal = await settle(update);
      if (refusal?.reason === 'unknownAgent') unsent.add(update.round);
    }
    hasSentWaiting = true;
  }

  async function takePart(): Promise<void> {
    const answer = await enrol(deps, { ...options, samples, signal });
    if (isRefusal(answer)) return waitAfterRefusal('enrol', answer);
    enrolment = answer;
    tell({ kind: 'enrolled', runId });
    for (const update of await work.updatesWaiting()) if (unsent.delete(update.round)) await settle(update);
  }

  async function takePartAgain(known: Enrolment): Promise<void> {
    const again = await enrolAgain(deps.door, { runId, agentId, signal }, known);
    if (isRefusal(again)) await waitAfterRefusal('enrol', again);
    else enrolment = again;
  }

  /**
   * A platform whose round store stepped back hands out what it has, and finds it in a moment: it is not trained again before it had the
   * time to.
   */
  async function waitForWhatIsAccepted({ round }: Assignment): Promise<void> {
    repeats += 1;
    const waitMs = Math.round(backoffMs(limits.failedRetry, repeats, deps.random));
    const message = `round ${round} has the update of this agent, and the assignment came again`;
    tell({ kind: 'retrying', what: 'await assignment', message, waitMs });
    await deps.clock.sleep(waitMs, signal);
  }

  async function carryOutAssignment(assignment: Assignment, known: Enrolment): Promise<void> {
    const kept = await dropUpdatesNotFor(assignment, deps, options, signal);
    if (kept !== null) {
      tellAssigned(tell, assignment);
      if ((await settle(kept)) === null) failures = 0;
      else await waitAfterFailure(`the update of round ${kept.round} was not taken`);
      return;
    }
    const { plan } = known;
    const { onStop } = options;
    const idleMs = limits.transferIdleMs;
    const made = await carryOut(deps, { runId, agentId, plan, assignment, data, idleMs, onStop, signal });
    if ('kind' in made) return waitAfterFailure('the last assignment came to nothing');
    const refusal = await settle(made);
    if (refusal === null) failures = 0;
    else if (isAboutContent(refusal)) refused = { round: made.round, ...made.madeFor };
    if (made.samples === samples) return;
    // Only training tells how many there are.
    samples = made.samples;
    await takePartAgain({ ...known, profile: { ...known.profile, samples } });
  }

  async function next(): Promise<RunOutcome | null> {
    if (!hasSentWaiting) await sendWaiting();
    if (enrolment === null) await takePart();
    if (enrolment === null) return null;
    const known: Enrolment = enrolment;
    const answer = await awaitAssignment(deps, { runId, agentId, plan: known.plan, waitMs: limits.awaitMs, signal });
    if (isRefusal(answer)) {
      // Forgotten once, it enrols at once; forgotten at every step, it takes its time.
      if (answer.reason === 'unknownAgent' && refusals === 0) refusals = 1;
      else await waitAfterRefusal('await assignment', answer);
      await takePartAgain(known);
      return null;
    }
    refusals = 0;
    if (answer.kind === 'runEnd') {
      const { outcome, reason, adapterVersion } = answer;
      await dropUpdatesNotFor(null, deps, options, signal);
      tell({ kind: 'ended', outcome, reason, adapterVersion });
      return outcome;
    }
    const unfit = answer.kind === 'misfit' ? answer.refusal.message : reasonToDecline(answer, refused);
    if (answer.kind === 'assignment' && unfit === null) {
      const isAgain = accepted !== null && isMadeFor(answer, accepted) && repeats < REPEATS_WAITED_MAX;
      if (isAgain) await waitForWhatIsAccepted(answer);
      else await carryOutAssignment(answer, known);
      if (!isAgain) repeats = 0;
      return null;
    }
    await decline(deps, options, answer, unfit ?? '', signal);
    await waitAfterFailure(unfit ?? '');
    return null;
  }

  return {
    next,
    afterDiskFault: async (reason) => {
      // What was accepted while its receipt could not be kept is asked for again: it is answered the same.
      hasSentWaiting = false;
      await waitAfterFailure(reason);
    },
  };
}

/** An assignment whose update was accepted, or refused for what it holds. */
type SettledWork = MadeFor & { readonly round: number };

/** Training again from the same adapter with the same seed gives the same update. */
const reasonToDecline = (assignment: Assignment, refused: SettledWork | null): string | null =>
  refused !== null && isMadeFor(assignment, refused)
    ? `the update of round ${refused.round} was refused, and would be the same again`
    : null;

/**
 * Leaves on disk the update of this assignment alone: of others, that of an earlier round can no longer be taken, and that of another
 * handing out of this round was made at other ranks. What the server holds of their uploads is given up as well.
 */
async function dropUpdatesNotFor(
  assignment: Assignment | null,
  deps: AgentLoopDeps,
  options: AgentLoopOptions,
  signal: AbortSignal,
): Promise<FinishedUpdate | null> {
  let kept: FinishedUpdate | null = null;
  for (const update of await deps.work.updatesWaiting()) {
    const { round, madeFor } = update;
    if (assignment !== null && isMadeFor({ round, ...madeFor }, assignment)) {
      kept = { ...update, handout: assignment.handout };
      continue;
    }
    await giveUploadUp(deps, { ...options, update, signal });
    await deps.work.dropUpdate(round);
  }
  return kept;
}

async function decline(
  deps: AgentLoopDeps,
  { runId, agentId }: AgentLoopOptions,
  { round, handout }: Assignment | Misfit,
  reason: string,
  signal: AbortSignal,
): Promise<void> {
  deps.tell({ kind: 'declined', round, message: reason });
  await declineAssignment(deps, { runId, agentId, round, handout, reason }, signal);
}
