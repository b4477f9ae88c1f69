import { isRefusal, type Refusal, type RefusalReason } from '@flexlora/core';
import { backoffMs, type Clock, type Logger, type RetryDeps } from '@flexlora/runtime';
import type { RunOutcome, Tell } from './agent-event.ts';
import { carryOut, tellAssigned } from './carry-out.ts';
import type { AgentDisk } from './disk/agent-disk.ts';
import { type FinishedUpdate, isMadeFor, type MadeFor } from './finished-update.ts';
import type { AgentLimits } from './limits.ts';
import type { PatientDoor } from './patient-door.ts';
import type { ProgressReporter } from './progress-reporter.ts';
import { awaitAssignment, type Misfit } from './stages/await-assignment.ts';
import { type Enrolment, enrol, enrolAgain } from './stages/enrol.ts';
import { declineAssignment, reportFailure } from './stages/report-end.ts';
import { sendUpdate } from './stages/send-update.ts';
import type { Trainer } from './trainer.ts';
import type { Assignment } from './translate.ts';
import type { WorkDirectory } from './work-directory.ts';

export interface AgentLoopDeps extends RetryDeps {
  readonly clock: Clock;
  readonly door: PatientDoor;
  readonly disk: AgentDisk;
  readonly work: WorkDirectory;
  readonly trainer: Trainer;
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
  readonly limits: AgentLimits;
}

/**
 * What an agent does until its run ends:
 *
 *     send what waits on disk ──► enrol ──► ask for work ──► fetch ──► train ──► keep on disk ──► send ─┐
 *                                   ▲            ▲                                                      │
 *                                   │ forgotten  └──────────────────────────────────────────────────────┘
 *
 * Outages are waited out wherever they come; a refusal of what an update holds is final for its assignment. Ends with the run alone, or throws the signal's reason.
 */
export async function runAgentLoop(
  deps: AgentLoopDeps,
  options: AgentLoopOptions,
  signal: AbortSignal,
): Promise<RunOutcome> {
  const { tell, work } = deps;
  const { runId, agentId, limits, data } = options;
  let samples = options.samples;
  let enrolment: Enrolment | null = null;
  /** In a row: assignments that came to nothing, and refusals. */
  let failures = 0;
  let refusals = 0;
  let refused: RefusedWork | null = null;

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

  /** Rounds whose update an agent that is not enrolled cannot send. */
  const unsent = new Set<number>();
  for (const update of await work.updatesWaiting()) {
    const refusal = await settle(deps, options, update, null, signal);
    if (refusal?.reason === 'unknownAgent') unsent.add(update.round);
  }

  for (;;) {
    if (enrolment === null) {
      const answer: Enrolment | Refusal = await enrol(deps, { ...options, samples, signal });
      if (isRefusal(answer)) {
        await waitAfterRefusal('enrol', answer);
        continue;
      }
      enrolment = answer;
      tell({ kind: 'enrolled', runId });
      for (const update of await work.updatesWaiting())
        if (unsent.delete(update.round)) await settle(deps, options, update, enrolment, signal);
    }
    const { plan } = enrolment;
    const next = await awaitAssignment(deps, { runId, agentId, plan, waitMs: limits.awaitMs, signal });
    if (isRefusal(next)) {
      // Forgotten once, it enrols at once; forgotten at every step, it takes its time.
      if (next.reason === 'unknownAgent' && refusals === 0) refusals = 1;
      else await waitAfterRefusal('await assignment', next);
      const again: Enrolment | Refusal = await enrolAgain(deps.door, { runId, agentId, signal }, enrolment);
      if (isRefusal(again)) await waitAfterRefusal('enrol', again);
      else enrolment = again;
      continue;
    }
    refusals = 0;
    if (next.kind === 'runEnd') {
      const { outcome, reason, adapterVersion } = next;
      await dropUpdatesNotFor(null, work);
      tell({ kind: 'ended', outcome, reason, adapterVersion });
      return outcome;
    }

    const unfit = next.kind === 'misfit' ? next.refusal.message : reasonToDecline(next, refused);
    if (unfit !== null) {
      await decline(deps, options, next, unfit, signal);
      await waitAfterFailure(unfit);
      continue;
    }
    const assignment = next as Assignment;
    const kept = await dropUpdatesNotFor(assignment, work);
    if (kept !== null) {
      tellAssigned(tell, assignment);
      if ((await settle(deps, options, kept, enrolment, signal)) === null) failures = 0;
      else await waitAfterFailure(`the update of round ${kept.round} was not taken`);
      continue;
    }
    const made = await carryOut(deps, {
      runId,
      agentId,
      plan,
      assignment,
      data,
      idleMs: limits.transferIdleMs,
      signal,
    });
    if ('kind' in made) {
      await waitAfterFailure('the last assignment came to nothing');
      continue;
    }
    const refusal = await settle(deps, options, made, enrolment, signal);
    if (refusal === null) failures = 0;
    else if (isAboutContent(refusal)) refused = { round: made.round, ...made.madeFor };
    if (made.samples !== samples) {
      // Only training tells how many there are.
      samples = made.samples;
      enrolment = { ...enrolment, profile: { ...enrolment.profile, samples } };
      const again = await enrolAgain(deps.door, { runId, agentId, signal }, enrolment);
      if (isRefusal(again)) await waitAfterRefusal('enrol', again);
    }
  }
}

/** An assignment whose update was refused for what it holds. */
type RefusedWork = MadeFor & { readonly round: number };

/** Training again from the same adapter with the same seed gives the same update. */
const reasonToDecline = (assignment: Assignment, refused: RefusedWork | null): string | null =>
  refused !== null && isMadeFor(assignment, refused)
    ? `the update of round ${refused.round} was refused, and would be the same again`
    : null;

/**
 * Leaves on disk the update of this assignment alone: of others, that of an earlier round can no longer be taken, and that of another
 * handing out of this round was made at other ranks.
 */
async function dropUpdatesNotFor(assignment: Assignment | null, work: WorkDirectory): Promise<FinishedUpdate | null> {
  let kept: FinishedUpdate | null = null;
  for (const update of await work.updatesWaiting()) {
    const { round, madeFor } = update;
    if (assignment !== null && isMadeFor({ round, ...madeFor }, assignment))
      kept = { ...update, handout: assignment.handout };
    else await work.dropUpdate(round);
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

/**
 * What a refusal of an update says of it.
 *
 * `keep`: the state of the platform does not allow it now. A round that falls below its minimum is opened again under its number, and a
 * platform that lost its state opens its round again: the update may then be taken as it is.
 `alreadyAccepted` means that the round has another one; every other refusal speaks of what the update holds.
 */
const OUTLASTS_REFUSAL: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  'late',
  'notAssigned',
  'wrongPhase',
  'unknownRun',
  'unknownRound',
  'unknownAgent',
  'unknownUpload',
]);

const isAboutContent = ({ reason }: Refusal): boolean => !OUTLASTS_REFUSAL.has(reason) && reason !== 'alreadyAccepted';

/** The round knows how it ended for this agent, or is not there: a failure told now could only confuse it. */
const isWorthReporting = (refusal: Refusal): boolean => isAboutContent(refusal) || refusal.reason === 'unknownUpload';

/**
 * Sends an update until it is accepted or refused. It is taken off the disk unless its round may still take it as it is.
 *
 * @param enrolment null before the first one: then an update of an agent that is not known is left for after it.
 */
async function settle(
  deps: AgentLoopDeps,
  options: AgentLoopOptions,
  update: FinishedUpdate,
  enrolment: Enrolment | null,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const { tell, work, door } = deps;
  const { runId, agentId, limits } = options;
  const { round, handout, samples, loss } = update;
  const progress = deps.progress.begin({ round, handout }, () => {});
  try {
    const send = () =>
      sendUpdate(deps, {
        runId,
        agentId,
        update,
        idleMs: limits.transferIdleMs,
        onProgress: (bytes, total) => {
          tell({ kind: 'uploading', round, bytes, total });
          progress.tell('uploading', total > 0 ? bytes / total : 0, loss);
        },
        signal,
      });
    let answer = await send();
    // A platform that lost its state has no run until it has recovered it, and then knows no agents; what it finds of the round it admits.
    for (let tries = 1; isRefusal(answer) && answer.reason === 'unknownRun'; tries += 1) {
      const waitMs = Math.round(backoffMs(limits.refusedRetry, tries, deps.random));
      tell({ kind: 'retrying', what: 'upload', message: answer.message, waitMs });
      await deps.clock.sleep(waitMs, signal);
      answer = await send();
    }
    if (isRefusal(answer) && answer.reason === 'unknownAgent') {
      if (enrolment === null) return answer;
      const again = await enrolAgain(door, { runId, agentId, signal }, enrolment);
      if (!isRefusal(again)) answer = await send();
    }
    // An upload whose commit was refused is answered the same for ever: what is sent again is a new one.
    if (isRefusal(answer) && OUTLASTS_REFUSAL.has(answer.reason)) await work.saveUpdate({ ...update, upload: null });
    else await work.dropUpdate(round);
    if (isRefusal(answer)) {
      const { reason, message } = answer;
      tell({ kind: 'refused', round, reason, message });
      const report = { runId, agentId, round, handout, reason: `the update was refused: ${message}` };
      if (isWorthReporting(answer)) await reportFailure(deps, report, signal);
      return answer;
    }
    tell({ kind: 'accepted', round, samples, loss });
    return null;
  } finally {
    progress.end();
  }
}
