import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Trainer } from '@flexlora/client-agent';
import type { ChannelOptions, Clock, Logger } from '@flexlora/runtime';
import { demoRunSpec } from './demo-run.ts';
import { createEvaluator, type Evaluator } from './evaluator.ts';
import { type FollowedRun, followRun } from './follow-run.ts';
import type { LiveView } from './live-view.ts';
import type { Participant } from './participants.ts';
import { type FederationReport, reportOf } from './report.ts';
import { createRunClient } from './run-client.ts';

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

/** Creates the run, follows it to its end, and evaluates what came of it. The agents are somebody else's. */
export async function runDemo(deps: RunDemoDeps, request: RunDemoRequest): Promise<FederationReport> {
  const { runId, orchestrator, participants, signal, view } = request;
  const runs = createRunClient(orchestrator, deps);
  try {
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
    const following = followRun({ runs, evaluator, view }, { runId, rank, signal });
    const followed = await Promise.race([following, untilFailed(request.alongside)]);
    const byRank = await evaluateRanks(evaluator, followed, rank, request);
    const seconds = (performance.now() - request.startedAt) / 1000;
    return reportOf({ ...request, followed, byRank, seconds });
  } finally {
    runs.close();
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
