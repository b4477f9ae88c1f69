import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Trainer } from '@flexlora/client-agent';
import { Fault, isRefusal, type UpdateFormat } from '@flexlora/core';
import { type ChannelOptions, type Clock, failureOf, type Logger } from '@flexlora/runtime';
import { PROGRAM_PATIENCE } from '../run/limits.ts';
import { createRunClient, type RunClient } from '../run/run-client.ts';
import { demoRunSpec } from './demo-run.ts';
import { createEvaluator, type Evaluator } from './evaluator.ts';
import { type FollowedRun, followRun } from './follow-run.ts';
import type { LiveView } from './live-view.ts';
import type { Participant } from './participants.ts';
import { type FederationReport, reportOf } from './report.ts';

export interface RunDemoDeps {
  /** Evaluates; the agents may share it. */
  readonly trainer: Trainer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

export interface RunDemoRequest {
  readonly runId: string;
  readonly orchestrator: ChannelOptions;
  readonly participants: readonly Participant[];
  readonly rounds: number;
  readonly seed: number;
  readonly updateFormat: UpdateFormat;
  /** Where the last adapter goes, as a PEFT directory; must not exist. */
  readonly adapterDir: string;
  /** Scratch space. */
  readonly work: string;
  /** For the report. */
  readonly kernel: string;
  readonly view: LiveView;
  /** `performance.now()` of the beginning, for the report. */
  readonly startedAt: number;
  readonly signal: AbortSignal;
  /** Work without which the run cannot end: its failure is the demonstration's. */
  readonly alongside: Promise<unknown>;
}

/** Bytes of held-out text of each language that an adapter is evaluated on. */
const HELD_OUT_BYTES = 2_048;

/**
 * Creates the run, follows it to its end, and evaluates what came of it. The agents are somebody else's. A run that is not followed to its
 * end is cancelled: the stores may outlast this process, and whoever starts on them next would go on with it.
 */
export async function runDemo(deps: RunDemoDeps, request: RunDemoRequest): Promise<FederationReport> {
  const broken = new AbortController();
  const signal = AbortSignal.any([request.signal, broken.signal]);
  const runs = createRunClient(request.orchestrator, deps, PROGRAM_PATIENCE);
  let mayExist = false;
  const createRun: RunClient['createRun'] = (spec, abort) => {
    mayExist = true;
    return runs.createRun(spec, abort);
  };
  try {
    const demonstration = demonstrate(deps, { ...request, signal }, { ...runs, createRun });
    return await Promise.race([demonstration, untilFailed(request.alongside)]);
  } catch (error) {
    broken.abort(error);
    if (mayExist) await cancelQuietly(runs, request);
    throw error;
  } finally {
    runs.close();
  }
}

async function demonstrate(deps: RunDemoDeps, request: RunDemoRequest, runs: RunClient): Promise<FederationReport> {
  const { runId, orchestrator, participants, signal, view } = request;
  const { baseDigest, modules } = await deps.trainer.hello();
  const model = { name: 'embedded-llama', digest: baseDigest, modules };
  const spec = demoRunSpec({ ...request, model, agents: participants.length });
  await runs.createRun(spec, signal);
  const evaluated = join(request.work, 'evaluated');
  await mkdir(evaluated, { recursive: true });
  const languages = participants.map(({ language }) => language);
  const evaluator = createEvaluator(deps, {
    transfer: orchestrator,
    spec,
    directory: evaluated,
    data: { corpus: 'typescript-diagnostics', languages, split: 'held-out', bytes_max: HELD_OUT_BYTES },
  });
  const rank = spec.rank?.max ?? 1;
  const followed = await followRun({ runs, evaluator, view }, { runId, rank, signal });
  const byRank = await evaluateRanks(evaluator, followed, rank, request);
  const seconds = (performance.now() - request.startedAt) / 1000;
  return reportOf({ ...request, followed, byRank, seconds });
}

/** A refusal is as good: there is no such run, or it is settled. */
async function cancelQuietly(runs: RunClient, { runId, view }: RunDemoRequest): Promise<void> {
  try {
    await runs.cancelRun(runId, 'the command that created it has ended');
  } catch (error) {
    const asked = error instanceof Fault ? error.cause : error;
    if (!isRefusal(failureOf(asked)))
      view.note(`run ${runId} could not be cancelled, and may go on in its stores: ${(error as Error).message}`);
  }
}

/** Writes the last adapter at the largest rank, and evaluates it cut to every rank in use. */
async function evaluateRanks(
  evaluator: Evaluator,
  followed: FollowedRun,
  rank: number,
  { adapterDir, signal }: RunDemoRequest,
): Promise<ReadonlyMap<number, number>> {
  const version = followed.rounds.length;
  await evaluator.writeAdapter(version, rank, adapterDir, signal);
  const inUse = new Set([...followed.members.values()].flatMap((member) => Object.values(member.ranks)));
  const losses = new Map<number, number>();
  for (const used of [...inUse].sort((a, b) => a - b))
    losses.set(used, await evaluator.adapterLoss(version, used, signal));
  return losses;
}

/** Never resolves: it only passes a failure on. */
const untilFailed = (work: Promise<unknown>): Promise<never> => new Promise((_, reject) => work.catch(reject));
