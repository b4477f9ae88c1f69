import { isRefusal, type Refusal, type RefusalReason } from '@flexlora/core';
import { backoffMs } from '@flexlora/runtime';
import type { AgentLoopDeps, AgentLoopOptions } from './agent-loop.ts';
import type { FinishedUpdate } from './finished-update.ts';
import { followTransfer } from './follow-transfer.ts';
import { type Enrolment, enrolAgain } from './stages/enrol.ts';
import { reportFailure } from './stages/report-end.ts';
import { sendUpdate } from './stages/send-update.ts';

/**
 * What a refusal of an update says of it.
 *
 * These leave it on disk, with its upload: the state of the platform does not allow it now. A round that falls below its minimum is opened
 * again under its number, and a platform that lost its state opens its round again: the update may then be taken as it is.
 * `alreadyAccepted` means that the round has another one; every other refusal speaks of what the update holds.
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

/** Training again from the same adapter with the same seed would be refused again. */
export const isAboutContent = ({ reason }: Refusal): boolean =>
  !OUTLASTS_REFUSAL.has(reason) && reason !== 'alreadyAccepted';

/** The round knows how it ended for this agent, or is not there: a failure told now could only confuse it. */
const isWorthReporting = (refusal: Refusal): boolean => isAboutContent(refusal) || refusal.reason === 'unknownUpload';

/**
 * Sends an update until it is accepted or refused. It is taken off the disk unless its round may still take it as it is.
 *
 * @param enrolment null before the first one: then an update of an agent that is not known is left for after it.
 */
export async function settleUpdate(
  deps: AgentLoopDeps,
  options: AgentLoopOptions,
  update: FinishedUpdate,
  enrolment: Enrolment | null,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const { tell, work } = deps;
  const { runId, agentId } = options;
  const { round, handout, samples, loss } = update;
  const progress = deps.progress.begin({ round, handout }, () => {});
  try {
    const onProgress = followTransfer(deps, progress, { stage: 'uploading', round, loss });
    const answer = await sendPatiently(deps, options, update, enrolment, signal, onProgress);
    if (isRefusal(answer)) {
      const { reason, message } = answer;
      if (reason === 'unknownAgent' && enrolment === null) return answer;
      if (!OUTLASTS_REFUSAL.has(reason)) await work.dropUpdate(round);
      tell({ kind: 'refused', round, reason, message });
      const report = { runId, agentId, round, handout, reason: `the update was refused: ${message}` };
      if (isWorthReporting(answer)) await reportFailure(deps, report, signal);
      return answer;
    }
    const { countsIn, sha256 } = answer;
    const heardAtMs = deps.clock.nowMs();
    await work.keepReceipt({ round: countsIn, sha256, trainedIn: round, samples, heardAtMs });
    await work.keepFeedback(round);
    await work.dropUpdate(round);
    tell({ kind: 'accepted', round, countsIn, sha256, samples, loss });
    return null;
  } finally {
    progress.end();
  }
}

/** Sends it, also to a platform that lost its state: that has no run until it has recovered it, and then knows no agents. */
async function sendPatiently(
  deps: AgentLoopDeps,
  { runId, agentId, limits }: AgentLoopOptions,
  finished: FinishedUpdate,
  enrolment: Enrolment | null,
  signal: AbortSignal,
  onProgress: (bytes: number, total: number) => void,
) {
  let update = finished;
  const send = async () => {
    const sent = await sendUpdate(deps, {
      runId,
      agentId,
      update,
      idleMs: limits.transferIdleMs,
      onProgress,
      signal,
    });
    update = sent.update;
    return sent.answer;
  };
  let answer = await send();
  for (let tries = 1; isRefusal(answer) && answer.reason === 'unknownRun'; tries += 1) {
    const waitMs = Math.round(backoffMs(limits.refusedRetry, tries, deps.random));
    deps.tell({ kind: 'retrying', what: 'upload', message: answer.message, waitMs });
    await deps.clock.sleep(waitMs, signal);
    answer = await send();
  }
  if (isRefusal(answer) && answer.reason === 'unknownAgent' && enrolment !== null) {
    const again = await enrolAgain(deps.door, { runId, agentId, signal }, enrolment);
    if (!isRefusal(again)) answer = await send();
  }
  return answer;
}
