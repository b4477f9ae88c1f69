import { type CohortMember, Outcome, type PublishedRound, type Run } from '@flexlora/contracts/run/v1/run_service';
import type { RunClient } from '../run/run-client.ts';
import type { Evaluator } from './evaluator.ts';
import type { LiveView } from './live-view.ts';

/** How a run went, and the held-out loss of each of its adapters. */
export interface FollowedRun {
  readonly baseLoss: number;
  readonly rounds: readonly { readonly published: PublishedRound; readonly heldOutLoss: number }[];
  /** The last assignment of each agent. */
  readonly members: ReadonlyMap<string, CohortMember>;
}

export interface FollowRunDeps {
  readonly runs: RunClient;
  readonly evaluator: Evaluator;
  readonly view: LiveView;
}

export interface FollowRunRequest {
  readonly runId: string;
  /** The rank at which adapters are evaluated: the largest of the run. */
  readonly rank: number;
  readonly signal: AbortSignal;
}

/** The run ended otherwise than completed; the message says how. */
export class RunNotCompleted extends Error {
  override readonly name = 'RunNotCompleted';
}

/**
 * Shows a run until it is settled, and evaluates every adapter as it is published, while the next round goes on.
 *
 * @throws {RunNotCompleted}
 */
export async function followRun(deps: FollowRunDeps, request: FollowRunRequest): Promise<FollowedRun> {
  const { evaluator, view } = deps;
  const { runId, rank, signal } = request;
  const losses = new Map<number, number>();
  const members = new Map<string, CohortMember>();
  const baseLoss = await evaluator.baseLoss(signal);
  losses.set(0, baseLoss);
  view.note(`base model: held-out loss ${baseLoss.toFixed(4)} nats per byte`);

  let last: Run | null = null;
  let evaluations: Promise<void> = Promise.resolve();
  const asked = new Set<number>([0]);
  const evaluate = ({ round }: PublishedRound): void => {
    if (asked.has(round)) return;
    asked.add(round);
    evaluations = evaluations.then(async () => {
      losses.set(round, await evaluator.adapterLoss(round, rank, signal));
      if (last !== null) view.show(last, losses);
    });
    // Its failure is thrown where it is awaited, below.
    evaluations.catch(() => {});
  };
  for await (const run of deps.runs.watchRun(runId, signal)) {
    last = run;
    for (const member of run.cohort) members.set(member.agentId, member);
    for (const round of run.published) evaluate(round);
    view.show(run, losses);
  }
  await evaluations;
  if (last === null || last.outcome !== Outcome.COMPLETED)
    throw new RunNotCompleted(`the run did not complete: ${last?.standing ?? 'it was never seen'}`);
  const rounds = last.published
    .filter(({ round }) => round > 0)
    .map((published) => ({ published, heldOutLoss: losses.get(published.round) ?? Number.NaN }));
  return { baseLoss, rounds, members };
}
