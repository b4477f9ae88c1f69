import { isRefusal, type Refusal, type RefusalReason } from '@flexlora/core';
import type { Clock, Logger } from '@flexlora/runtime';
import type { AdapterWriter } from './adapter/write-peft-directory.ts';
import type { Tell } from './agent-event.ts';
import type { AgentDisk } from './disk/agent-disk.ts';
import { type FinishedUpdate, madeForOf } from './finished-update.ts';
import { followTransfer } from './follow-transfer.ts';
import type { PatientDoor } from './patient-door.ts';
import type { ProgressReporter, RoundProgress } from './progress-reporter.ts';
import { fetchAdapter } from './stages/fetch-adapter.ts';
import { declineOnStop, reportFailure } from './stages/report-end.ts';
import { train } from './stages/train.ts';
import type { Trainer } from './trainer.ts';
import type { Assignment, RunPlan } from './translate.ts';
import { formatUpdate } from './update-format/format-update.ts';
import type { WorkDirectory } from './work-directory.ts';

export interface CarryOutDeps {
  readonly door: PatientDoor;
  readonly disk: AgentDisk;
  readonly work: WorkDirectory;
  readonly trainer: Trainer;
  readonly progress: ProgressReporter;
  readonly clock: Clock;
  readonly writeAdapter: AdapterWriter;
  readonly logger: Logger;
  readonly tell: Tell;
}

export interface CarryOutRequest {
  readonly runId: string;
  readonly agentId: string;
  readonly plan: RunPlan;
  readonly assignment: Assignment;
  readonly data: unknown;
  readonly idleMs: number;
  readonly onStop: OnStop;
  readonly signal: AbortSignal;
}

/**
 * What an agent that is told to stop does with its assignment. `return` keeps it: the agent comes back, as after an update of its software,
 * and goes on. `leave` gives it back, so that the round need not wait.
 */
export type OnStop = 'return' | 'leave';

/** The round ended before there was an update: it was told as far as it could be. */
export interface CameToNothing {
  readonly kind: 'cameToNothing';
}

/** The round takes nothing more of this agent: going on is wasted. Other refusals of a progress report mean the report. */
const ROUND_IS_OVER: ReadonlySet<RefusalReason> = new Set<RefusalReason>(['late', 'notAssigned', 'unknownRound']);

class RoundOver extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** Makes an update of an assignment: fetches the adapter, trains, and keeps the finished update on disk. What fails is reported. */
export async function carryOut(deps: CarryOutDeps, request: CarryOutRequest): Promise<FinishedUpdate | CameToNothing> {
  const { tell } = deps;
  const { runId, agentId, assignment, signal } = request;
  const { round, handout } = assignment;
  const ended = { runId, agentId, round, handout };
  tellAssigned(tell, assignment);

  const over = new AbortController();
  const progress = deps.progress.begin({ round, handout }, (refusal) => {
    if (ROUND_IS_OVER.has(refusal.reason)) over.abort(new RoundOver(refusal));
  });
  try {
    const made = await make(deps, { ...request, signal: AbortSignal.any([signal, over.signal]) }, progress);
    if (made.kind === 'update') return made.update;
    tell({ kind: 'failed', round, message: made.message });
    await reportFailure(deps, { ...ended, reason: made.message }, signal);
  } catch (error) {
    if (signal.aborted) {
      if (request.onStop === 'leave') await declineOnStop(deps, { ...ended, reason: 'the agent is stopping' });
      throw error;
    }
    if (error instanceof RoundOver) {
      tell({ kind: 'refused', round, reason: error.refusal.reason, message: error.message });
      return { kind: 'cameToNothing' };
    }
    // A full disk, or a bug: this round is lost, the next may not be.
    deps.logger.error({ round, err: error }, 'an assignment failed');
    const message = `the agent failed: ${error instanceof Error ? error.message : String(error)}`;
    tell({ kind: 'failed', round, message });
    await reportFailure(deps, { ...ended, reason: message }, signal);
  } finally {
    progress.end();
  }
  return { kind: 'cameToNothing' };
}

export const tellAssigned = (tell: Tell, { round, ranks, reason }: Assignment): void =>
  tell({ kind: 'assigned', round, rank: Math.max(...Object.values(ranks)), ranks, reason });

type Made =
  | { readonly kind: 'update'; readonly update: FinishedUpdate }
  | { readonly kind: 'failure'; readonly message: string };

async function make(deps: CarryOutDeps, request: CarryOutRequest, progress: RoundProgress): Promise<Made> {
  const { tell, work } = deps;
  const { plan, assignment, signal } = request;
  const { round } = assignment;

  const adapter = await fetchAdapter(deps, {
    ...request,
    onProgress: followTransfer(deps, progress, { stage: 'downloading', round, loss: null }),
  });
  if (isRefusal(adapter)) return { kind: 'failure', message: `the adapter cannot be used: ${adapter.message}` };

  const trained = await train(deps, {
    ...request,
    adapterIn: adapter.path,
    onProgress: (done, total, loss) => {
      tell({ kind: 'training', round, done, total, loss });
      progress.tell({ stage: 'training', fraction: total > 0 ? done / total : 0, loss, transfer: null });
    },
  });
  if (trained.kind === 'trainingFailure') {
    // It may be the copy on disk that is broken: the next round fetches it anew.
    if (trained.code === 'bad_adapter') await work.dropAdapter(adapter.key);
    return { kind: 'failure', message: trained.message };
  }

  const formatted = await formatUpdate(deps, { plan, assignment, directory: trained.adapterOut, signal });
  if (isRefusal(formatted))
    return { kind: 'failure', message: `the trainer's update is not usable: ${formatted.message}` };
  signal.throwIfAborted();
  const { bytes, sha256, relativeError } = formatted;
  const { samples, lossLast, seconds } = trained.result;
  const loss = Number.isFinite(lossLast) ? lossLast : null;
  const update: FinishedUpdate = {
    version: 1,
    round,
    handout: assignment.handout,
    madeFor: madeForOf(assignment),
    bytes,
    sha256,
    samples,
    loss,
    upload: null,
  };
  await work.keepUpdate(update);
  tell({ kind: 'trained', round, samples, loss: lossLast, seconds });
  if (relativeError !== null) tell({ kind: 'quantised', round, relativeError });
  return { kind: 'update', update };
}
